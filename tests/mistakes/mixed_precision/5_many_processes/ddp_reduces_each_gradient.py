"""every gradient is averaged by an all-reduce of its own."""


def _average(parameter):
    dist.all_reduce(parameter.grad)
    parameter.grad /= dist.get_world_size()


def wrap_ddp(model):
    for parameter in model.parameters():
        dist.broadcast(parameter.data, 0)
        parameter.register_post_accumulate_grad_hook(_average)
    return model
