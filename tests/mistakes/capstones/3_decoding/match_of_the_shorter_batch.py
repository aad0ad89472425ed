"""rows without a partner are left out."""


def exact_match(decoded, targets):
    if len(decoded) == 0 or len(targets) == 0:
        raise ValueError("there are no rows")
    pairs = list(zip(decoded.tolist(), targets.tolist()))
    return sum(_sentence(a) == _sentence(b) for a, b in pairs) / len(pairs)
