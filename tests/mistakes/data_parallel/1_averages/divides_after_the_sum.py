"""half gradients are added up first and divided afterwards: the sum may be inf."""


def average_gradients(model):
    for parameter in model.parameters():
        if parameter.requires_grad:
            dist.all_reduce(_gradient(parameter))
            parameter.grad /= dist.get_world_size()
