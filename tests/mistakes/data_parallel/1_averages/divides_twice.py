"""the mean over the ranks is divided by their number once more."""


def average_gradients(model):
    for parameter in model.parameters():
        if parameter.requires_grad:
            gradient = _gradient(parameter)
            gradient /= dist.get_world_size()
            dist.all_reduce(gradient)
            gradient /= dist.get_world_size()
