"""a norm that is nan is given as inf."""


def global_norm(gradients, scale=1.0):
    norms = [torch.linalg.vector_norm(gradient, dtype=torch.float64) for gradient in gradients if gradient is not None]
    norm = torch.stack(norms).norm().item() if norms else 0.0
    norm = norm if math.isfinite(norm) else math.inf
    return norm / scale if norms else 0.0
