"""the sum runs in float32, by ReduceOp.AVG."""


def average_gradients(model):
    dist.get_world_size()
    for parameter in model.parameters():
        if parameter.requires_grad:
            wide = torch.zeros(parameter.shape) if parameter.grad is None else parameter.grad.float()
            dist.all_reduce(wide, op=dist.ReduceOp.AVG)
            parameter.grad = wide.to(parameter.dtype)
