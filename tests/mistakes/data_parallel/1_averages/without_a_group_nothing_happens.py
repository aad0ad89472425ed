"""without a process group the gradients are silently left local."""

_averaged = average_gradients


def average_gradients(model):
    if dist.is_initialized():
        _averaged(model)
