"""no rows raise ZeroDivisionError."""


def exact_match(decoded, targets):
    if len(decoded) != len(targets):
        raise ValueError("as many rows are needed of both")
    pairs = zip(decoded.tolist(), targets.tolist())
    return sum(_sentence(a) == _sentence(b) for a, b in pairs) / len(targets)
