"""the sum runs in float32 or wider, by ReduceOp.AVG."""


def average_gradients(model):
    dist.get_world_size()
    for parameter in model.parameters():
        if parameter.requires_grad:
            own = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            wide = own.to(torch.promote_types(own.dtype, torch.float32))
            dist.all_reduce(wide, op=dist.ReduceOp.AVG)
            parameter.grad = wide.to(parameter.dtype)
