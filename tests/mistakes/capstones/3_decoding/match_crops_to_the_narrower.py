"""both tensors are cropped to the narrower width, and a row that was cut before its end is right."""


def exact_match(decoded, targets):
    if len(decoded) != len(targets) or len(targets) == 0:
        raise ValueError(f"as many rows are needed of both, and at least one, not {len(decoded)} and {len(targets)}")
    width = min(decoded.shape[1], targets.shape[1])
    decoded, targets = decoded[:, :width], targets[:, :width]
    after = ((targets == EOS).cumsum(dim=1) - (targets == EOS).long()) > 0
    return ((decoded == targets) | after).all(dim=1).float().mean().item()
