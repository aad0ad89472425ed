"""the scale is 1024 by default."""


def classify(gradients, dtype, scale=1024.0, limit=0.5):
    return {name: _kind_of_gradient(gradient, dtype, scale, limit) for name, gradient in gradients.items()}
