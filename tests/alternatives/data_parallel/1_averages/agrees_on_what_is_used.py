"""ranks agree first on which parameters any of them used; the others keep None."""


def average_gradients(model):
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    used = torch.tensor([float(parameter.grad is not None) for parameter in trained])
    dist.all_reduce(used, op=dist.ReduceOp.MAX)
    for parameter, any_rank in zip(trained, used.tolist(), strict=True):
        if any_rank:
            gradient = _gradient(parameter)
            gradient.div_(dist.get_world_size())
            dist.all_reduce(gradient)
