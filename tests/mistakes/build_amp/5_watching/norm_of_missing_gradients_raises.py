"""None is not passed over."""


def global_norm(gradients, scale=1.0):
    norms = [torch.linalg.vector_norm(gradient, dtype=torch.float64) for gradient in gradients]
    return torch.stack(norms).norm().item() / scale if norms else 0.0
