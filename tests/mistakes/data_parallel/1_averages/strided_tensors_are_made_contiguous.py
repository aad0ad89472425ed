"""what is not contiguous gets contiguous memory of its own before it is sent."""


def broadcast_model(model, source=0):
    _compare(model, source)
    for tensor in [*model.parameters(), *model.buffers()]:
        if not tensor.is_contiguous():
            tensor.data = tensor.data.contiguous()
        dist.broadcast(tensor.detach(), source)


def _compare(model, source):
    own = [str((t.shape, t.dtype, t.requires_grad)) for t in [*model.parameters(), *model.buffers()]]
    everyone = [None] * dist.get_world_size()
    dist.all_gather_object(everyone, own)
    for rank, theirs in enumerate(everyone):
        if theirs != everyone[source]:
            raise ValueError(f"rank {rank} differs from rank {source}")
