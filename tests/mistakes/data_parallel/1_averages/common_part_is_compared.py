"""models are compared as far as the shorter one goes: one parameter more gets through."""


def broadcast_model(model, source=0):
    tensors = [*model.parameters(), *model.buffers()]
    ranks = [None] * dist.get_world_size()
    dist.all_gather_object(ranks, [str((t.shape, t.dtype, t.requires_grad)) for t in tensors])
    for rank, one in enumerate(ranks):
        for there, here in zip(one, ranks[source], strict=False):
            if there != here:
                raise ValueError(f"rank {rank} differs from rank {source}")
    for tensor in tensors:
        dist.broadcast(tensor.detach(), source)
