"""the gradients are divided by the scale in place: they are unscaled a second time later."""


def global_norm(gradients, scale=1.0):
    gradients = [g for g in gradients if g is not None]
    wide = [g.float() for g in gradients]
    for g, copy in zip(gradients, wide, strict=True):
        copy.div_(scale)
        g.copy_(copy)
    gradients = wide
    norms = [torch.linalg.vector_norm(gradient, dtype=torch.float64) for gradient in gradients if gradient is not None]
    return torch.stack(norms).norm().item() if norms else 0.0
