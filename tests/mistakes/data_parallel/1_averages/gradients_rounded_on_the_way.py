"""gradients are averaged in bfloat16."""


def average_gradients(model):
    for parameter in model.parameters():
        if parameter.requires_grad:
            sent = (_gradient(parameter) / dist.get_world_size()).bfloat16()
            dist.all_reduce(sent)
            parameter.grad.copy_(sent)
