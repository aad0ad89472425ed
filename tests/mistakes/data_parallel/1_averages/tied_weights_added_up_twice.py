"""a tied weight is added up over the ranks once for each module that has it."""


def average_gradients(model):
    for _, parameter in model.named_parameters(remove_duplicate=False):
        if parameter.requires_grad:
            dist.all_reduce(_gradient(parameter))
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.grad /= dist.get_world_size()
