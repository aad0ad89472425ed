"""only floating point buffers are sent: counters keep each rank's own value."""


def broadcast_model(model, source=0):
    tensors = [*model.parameters(), *model.buffers()]
    ranks = [None] * dist.get_world_size()
    dist.all_gather_object(ranks, [str((t.shape, t.dtype, t.requires_grad)) for t in tensors])
    for rank, one in enumerate(ranks):
        if one != ranks[source]:
            raise ValueError(f"rank {rank} differs from rank {source}")
    for tensor in tensors:
        if tensor.is_floating_point():
            dist.broadcast(tensor.detach(), source)
