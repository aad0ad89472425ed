"""pads are dropped before rows are compared, also those before <eos>."""


def exact_match(decoded, targets):
    if len(decoded) != len(targets) or len(targets) == 0:
        raise ValueError(f"as many rows are needed of both, and at least one, not {len(decoded)} and {len(targets)}")
    rows = [[[token for token in row if token != PAD] for row in table.tolist()] for table in (decoded, targets)]
    right = sum(_sentence(a) is not None and _sentence(a) == _sentence(b) for a, b in zip(*rows, strict=True))
    return right / len(targets)
