"""each gradient is squared in its own dtype, and summed in float64."""


def global_norm(gradients, scale=1.0):
    norms = [gradient.square().double().sum().sqrt() for gradient in gradients if gradient is not None]
    return torch.stack(norms).norm().item() / scale if norms else 0.0
