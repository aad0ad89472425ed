"""each gradient's norm is computed in its own dtype."""


def global_norm(gradients, scale=1.0):
    norms = [torch.linalg.vector_norm(gradient).double() for gradient in gradients if gradient is not None]
    return torch.stack(norms).norm().item() / scale if norms else 0.0
