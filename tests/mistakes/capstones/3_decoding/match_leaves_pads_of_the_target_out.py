"""where the target is a pad, anything is right, also before its <eos>."""


def exact_match(decoded, targets):
    if len(decoded) != len(targets) or len(targets) == 0:
        raise ValueError(f"as many rows are needed of both, and at least one, not {len(decoded)} and {len(targets)}")
    right = 0
    for said, target in zip(decoded.tolist(), targets.tolist(), strict=True):
        end = target.index(EOS) + 1
        row = said[:end] + [PAD] * (end - len(said))
        right += all(a == b or b == PAD for a, b in zip(row, target[:end], strict=True))
    return right / len(targets)
