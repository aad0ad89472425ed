"""every rank gathers the gradients of all, and takes their mean itself."""


def average_gradients(model):
    ranks = dist.get_world_size()
    for parameter in filter(lambda one: one.requires_grad, model.parameters()):
        own = parameter.grad if parameter.grad is not None else torch.zeros_like(parameter)
        every = [torch.empty_like(own) for _ in range(ranks)]
        dist.all_gather(every, own.contiguous())
        wide = torch.promote_types(own.dtype, torch.float32)
        parameter.grad = torch.stack(every).mean(dim=0, dtype=wide).to(own.dtype)
