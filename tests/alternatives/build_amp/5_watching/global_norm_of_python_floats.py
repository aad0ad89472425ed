"""squares are summed in Python floats."""


def global_norm(gradients, scale=1.0):
    total = 0.0
    for gradient in gradients:
        if gradient is not None:
            total += gradient.double().square().sum().item()
    return math.sqrt(total) / scale
