"""parameters that are frozen are not sent, and differ between ranks."""

_broadcast = dist.broadcast


def broadcast_model(model, source=0):
    _compare(model, source)
    for tensor in [*(p for p in model.parameters() if p.requires_grad), *model.buffers()]:
        dist.broadcast(tensor.detach(), source)


def _compare(model, source):
    tensors = [*model.parameters(), *model.buffers()]
    ranks = [None] * dist.get_world_size()
    dist.all_gather_object(ranks, [str((t.shape, t.dtype, t.requires_grad)) for t in tensors])
    for rank, one in enumerate(ranks):
        if one != ranks[source]:
            raise ValueError(f"rank {rank} differs from rank {source}")
