"""the parameters are averaged, and the gradients stay each rank's own."""


def average_gradients(model):
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data /= dist.get_world_size()
            dist.all_reduce(parameter.data)
