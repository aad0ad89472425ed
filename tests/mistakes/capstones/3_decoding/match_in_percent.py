"""the share is given in percent."""


def exact_match(decoded, targets):
    if len(decoded) != len(targets) or len(targets) == 0:
        raise ValueError("as many rows are needed of both, and at least one")
    pairs = zip(decoded.tolist(), targets.tolist())
    return 100 * sum(_sentence(a) == _sentence(b) for a, b in pairs) / len(targets)
