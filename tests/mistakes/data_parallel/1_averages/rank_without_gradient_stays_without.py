"""a rank that had no gradient takes part, and throws the mean away."""


def average_gradients(model):
    for parameter in model.parameters():
        if parameter.requires_grad:
            had = parameter.grad is not None
            gradient = _gradient(parameter)
            gradient /= dist.get_world_size()
            dist.all_reduce(gradient)
            if not had:
                parameter.grad = None
