"""gradients are added up over the ranks, and not divided."""


def average_gradients(model):
    for parameter in model.parameters():
        if parameter.requires_grad:
            dist.all_reduce(_gradient(parameter))
