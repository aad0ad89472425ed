"""the root of the mean square of the parameters' norms is given."""


def global_norm(gradients, scale=1.0):
    norms = [torch.linalg.vector_norm(gradient, dtype=torch.float64) for gradient in gradients if gradient is not None]
    return torch.stack(norms).square().mean().sqrt().item() / scale if norms else 0.0
