"""models are compared by the number of entries: another shape with as many gets through."""


def broadcast_model(model, source=0):
    tensors = [*model.parameters(), *model.buffers()]
    ranks = [None] * dist.get_world_size()
    dist.all_gather_object(ranks, [str((t.numel(), t.dtype, t.requires_grad)) for t in tensors])
    for rank, one in enumerate(ranks):
        if one != ranks[source]:
            raise ValueError(f"rank {rank} differs from rank {source}")
    for tensor in tensors:
        dist.broadcast(tensor.detach(), source)
