"""frozen parameters get a gradient of zeros."""


def average_gradients(model):
    for parameter in model.parameters():
        gradient = _gradient(parameter)
        if parameter.requires_grad:
            gradient /= dist.get_world_size()
            dist.all_reduce(gradient)
