"""what is not contiguous is sent from a contiguous copy, and what arrives stays in the copy."""


def broadcast_model(model, source=0):
    _compare(model, source)
    for tensor in [*model.parameters(), *model.buffers()]:
        dist.broadcast(tensor.detach().contiguous(), source)


def _compare(model, source):
    own = [str((t.shape, t.dtype, t.requires_grad)) for t in [*model.parameters(), *model.buffers()]]
    everyone = [None] * dist.get_world_size()
    dist.all_gather_object(everyone, own)
    for rank, theirs in enumerate(everyone):
        if theirs != everyone[source]:
            raise ValueError(f"rank {rank} differs from rank {source}")
