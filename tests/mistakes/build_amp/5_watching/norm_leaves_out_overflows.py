"""gradients with inf or nan are left out."""


def global_norm(gradients, scale=1.0):
    norms = [
        torch.linalg.vector_norm(gradient, dtype=torch.float64)
        for gradient in gradients
        if gradient is not None and bool(gradient.isfinite().all())
    ]
    return torch.stack(norms).norm().item() / scale if norms else 0.0
