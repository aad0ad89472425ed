"""the norms of the parameters are added up."""


def global_norm(gradients, scale=1.0):
    norms = [torch.linalg.vector_norm(gradient, dtype=torch.float64) for gradient in gradients if gradient is not None]
    return torch.stack(norms).sum().item() / scale if norms else 0.0
