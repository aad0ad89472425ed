"""no rows give a share of 0."""


def exact_match(decoded, targets):
    if len(decoded) != len(targets):
        raise ValueError("as many rows are needed of both")
    pairs = zip(decoded.tolist(), targets.tolist())
    return sum(_sentence(a) == _sentence(b) for a, b in pairs) / max(len(targets), 1)
