"""the narrower tensor is filled up with <eos>, and a row that was cut before its end gets one."""


def exact_match(decoded, targets):
    if len(decoded) != len(targets) or len(targets) == 0:
        raise ValueError(f"as many rows are needed of both, and at least one, not {len(decoded)} and {len(targets)}")
    width = max(decoded.shape[1], targets.shape[1])
    decoded = F.pad(decoded, (0, width - decoded.shape[1]), value=EOS)
    targets = F.pad(targets, (0, width - targets.shape[1]), value=EOS)
    after = ((targets == EOS).cumsum(dim=1) - (targets == EOS).long()) > 0
    return ((decoded == targets) | after).all(dim=1).float().mean().item()
