"""rows are compared as tensors, up to the place of the target's <eos>."""


def exact_match(decoded, targets):
    if len(decoded) != len(targets) or len(targets) == 0:
        raise ValueError("as many rows are needed of both, and at least one")
    width = max(decoded.shape[1], targets.shape[1])
    decoded = F.pad(decoded, (0, width - decoded.shape[1]), value=PAD)
    targets = F.pad(targets, (0, width - targets.shape[1]), value=PAD)
    ends = (targets == EOS).int().argmax(dim=1)
    later = torch.arange(width, device=targets.device) > ends[:, None]
    return ((decoded == targets) | later).all(dim=1).double().mean().item()
