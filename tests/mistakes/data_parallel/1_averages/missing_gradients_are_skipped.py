"""a rank leaves out what has no gradient there, while the others send it."""


def average_gradients(model):
    for parameter in model.parameters():
        if parameter.grad is not None and parameter.requires_grad:
            parameter.grad /= dist.get_world_size()
            dist.all_reduce(parameter.grad)
