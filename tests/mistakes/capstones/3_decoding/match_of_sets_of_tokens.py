"""the order of the tokens does not count."""


def exact_match(decoded, targets):
    if len(decoded) != len(targets) or len(targets) == 0:
        raise ValueError("as many rows are needed of both, and at least one")
    pairs = zip(decoded.tolist(), targets.tolist())
    return sum(sorted(_sentence(a) or [0]) == sorted(_sentence(b)) for a, b in pairs) / len(targets)
