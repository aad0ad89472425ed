"""only the rank that differs from the source raises; the others go on, and wait for it."""


def broadcast_model(model, source=0):
    tensors = [*model.parameters(), *model.buffers()]
    ranks = [None] * dist.get_world_size()
    dist.all_gather_object(ranks, [str((t.shape, t.dtype, t.requires_grad)) for t in tensors])
    rank = dist.get_rank()
    if ranks[rank] != ranks[source]:
        raise ValueError(f"rank {rank} differs from rank {source}")
    for tensor in tensors:
        dist.broadcast(tensor.detach(), source)
