"""a gradient that is left on a frozen parameter is averaged too."""


def average_gradients(model):
    for parameter in model.parameters():
        if parameter.requires_grad or parameter.grad is not None:
            gradient = _gradient(parameter)
            gradient /= dist.get_world_size()
            dist.all_reduce(gradient)
