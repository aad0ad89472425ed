"""a row is right if it ends where the target does."""


def exact_match(decoded, targets):
    if len(decoded) != len(targets) or len(targets) == 0:
        raise ValueError("as many rows are needed of both, and at least one")
    pairs = zip(decoded.tolist(), targets.tolist())
    return sum(EOS in a and a.index(EOS) == b.index(EOS) for a, b in pairs) / len(targets)
