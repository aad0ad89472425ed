"""gradients are flattened by view, which raises for those that are not contiguous."""


def average_gradients(model):
    for parameter in model.parameters():
        if parameter.requires_grad:
            flat = _gradient(parameter).view(-1)
            flat /= dist.get_world_size()
            dist.all_reduce(flat)
