"""rank 0 gets the mean, and the others keep what they had."""


def average_gradients(model):
    for parameter in model.parameters():
        if parameter.requires_grad:
            gradient = _gradient(parameter)
            gradient /= dist.get_world_size()
            sent = gradient.clone()
            dist.reduce(sent, 0)
            if dist.get_rank() == 0:
                gradient.copy_(sent)
