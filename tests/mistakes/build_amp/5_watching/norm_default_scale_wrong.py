"""the scale is 65536 by default."""


def global_norm(gradients, scale=65536.0):
    norms = [torch.linalg.vector_norm(gradient, dtype=torch.float64) for gradient in gradients if gradient is not None]
    return torch.stack(norms).norm().item() / scale if norms else 0.0
