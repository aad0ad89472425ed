"""the target's pads decide what is compared, instead of its first <eos>."""


def exact_match(decoded, targets):
    if len(decoded) != len(targets) or len(targets) == 0:
        raise ValueError("as many rows are needed of both, and at least one")
    width = max(decoded.shape[1], targets.shape[1])
    decoded = F.pad(decoded, (0, width - decoded.shape[1]), value=PAD)
    targets = F.pad(targets, (0, width - targets.shape[1]), value=PAD)
    return float(((decoded == targets) | (targets == PAD)).all(dim=1).float().mean())
