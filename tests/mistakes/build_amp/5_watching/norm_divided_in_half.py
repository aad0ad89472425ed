"""each gradient is divided by the scale in its own dtype."""


def global_norm(gradients, scale=1.0):
    norms = [
        torch.linalg.vector_norm(gradient / scale, dtype=torch.float64)
        for gradient in gradients
        if gradient is not None
    ]
    return torch.stack(norms).norm().item() if norms else 0.0
