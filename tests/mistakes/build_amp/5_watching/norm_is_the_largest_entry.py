"""the largest magnitude of an entry is given."""


def global_norm(gradients, scale=1.0):
    norms = [
        torch.linalg.vector_norm(gradient, ord=math.inf, dtype=torch.float64)
        for gradient in gradients
        if gradient is not None
    ]
    return torch.stack(norms).max().item() / scale if norms else 0.0
