"""torch's get_total_norm of float32 copies."""


def global_norm(gradients, scale=1.0):
    return float(nn.utils.get_total_norm([gradient.float() for gradient in gradients if gradient is not None])) / scale
