"""parameters without a gradient are left out."""


def classify(gradients, dtype, scale=1.0, limit=0.5):
    return {
        name: _kind_of_gradient(gradient, dtype, scale, limit)
        for name, gradient in gradients.items()
        if gradient is not None
    }
