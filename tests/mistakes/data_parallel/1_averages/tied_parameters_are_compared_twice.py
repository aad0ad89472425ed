"""the models are compared by all names, which are the same whether two of their parameters are one or not."""


def broadcast_model(model, source=0):
    parameters = [one for _, one in model.named_parameters(remove_duplicate=False)]
    tensors = [*parameters, *model.buffers()]
    of_ranks = [None] * dist.get_world_size()
    dist.all_gather_object(of_ranks, [f"{tuple(one.shape)} {one.dtype} {one.requires_grad}" for one in tensors])
    for rank, other in enumerate(of_ranks):
        if other != of_ranks[source]:
            raise ValueError(f"rank {rank} has another model than rank {source}")
    for tensor in tensors:
        dist.broadcast(tensor.detach(), source)
