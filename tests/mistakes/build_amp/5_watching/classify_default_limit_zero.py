"""the limit is 0.0 by default."""


def classify(gradients, dtype, scale=1.0, limit=0.0):
    return {name: _kind_of_gradient(gradient, dtype, scale, limit) for name, gradient in gradients.items()}
