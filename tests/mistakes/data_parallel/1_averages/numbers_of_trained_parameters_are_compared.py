"""models are compared by how many parameters train, and not by which."""


def broadcast_model(model, source=0):
    _compare(model, source)
    for tensor in [*model.parameters(), *model.buffers()]:
        dist.broadcast(tensor.detach(), source)


def _compare(model, source):
    parameters = list(model.parameters())
    own = [str((t.shape, t.dtype)) for t in [*parameters, *model.buffers()]]
    own.append(str(sum(one.requires_grad for one in parameters)))
    everyone = [None] * dist.get_world_size()
    dist.all_gather_object(everyone, own)
    for rank, theirs in enumerate(everyone):
        if theirs != everyone[source]:
            raise ValueError(f"rank {rank} differs from rank {source}")
