"""all entries are put into one float32 vector, divided by the scale."""


def global_norm(gradients, scale=1.0):
    flat = [gradient.detach().float().flatten() for gradient in gradients if gradient is not None]
    return float(torch.cat(flat).div(scale).norm()) if flat else 0.0
