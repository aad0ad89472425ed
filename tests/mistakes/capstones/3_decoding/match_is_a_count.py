"""the number of right rows is given, not their share."""


def exact_match(decoded, targets):
    if len(decoded) != len(targets) or len(targets) == 0:
        raise ValueError("as many rows are needed of both, and at least one")
    return float(sum(_sentence(a) == _sentence(b) for a, b in zip(decoded.tolist(), targets.tolist())))
