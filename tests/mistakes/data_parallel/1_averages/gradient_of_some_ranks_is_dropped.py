"""a parameter that some rank has no gradient of is left as it is on all ranks."""


def average_gradients(model):
    for parameter in model.parameters():
        if parameter.requires_grad:
            having = torch.tensor(float(parameter.grad is not None))
            dist.all_reduce(having, op=dist.ReduceOp.MIN)
            if having:
                parameter.grad /= dist.get_world_size()
                dist.all_reduce(parameter.grad)
