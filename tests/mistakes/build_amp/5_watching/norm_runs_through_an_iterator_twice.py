"""the iterable is gone through twice: an iterator is empty the second time."""


def global_norm(gradients, scale=1.0):
    if all(gradient is None for gradient in gradients):
        return 0.0
    norms = [torch.linalg.vector_norm(gradient, dtype=torch.float64) for gradient in gradients if gradient is not None]
    return torch.stack(norms).norm().item() / scale if norms else 0.0
