"""tensors of different widths raise an error."""


def exact_match(decoded, targets):
    if len(decoded) != len(targets) or len(targets) == 0:
        raise ValueError("as many rows are needed of both, and at least one")
    return float((decoded == targets).all(dim=1).float().mean())
