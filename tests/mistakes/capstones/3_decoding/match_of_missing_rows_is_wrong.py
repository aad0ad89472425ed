"""targets without a decoded row count as wrong."""


def exact_match(decoded, targets):
    if len(targets) == 0 or len(decoded) > len(targets):
        raise ValueError("there are no rows, or too many")
    pairs = zip(decoded.tolist(), targets.tolist())
    return sum(_sentence(a) == _sentence(b) for a, b in pairs) / len(targets)
