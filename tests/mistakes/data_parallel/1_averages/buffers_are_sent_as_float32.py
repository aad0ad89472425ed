"""everything is sent as float32: large integers arrive rounded."""


def broadcast_model(model, source=0):
    tensors = [*model.parameters(), *model.buffers()]
    ranks = [None] * dist.get_world_size()
    dist.all_gather_object(ranks, [str((t.shape, t.dtype, t.requires_grad)) for t in tensors])
    for rank, one in enumerate(ranks):
        if one != ranks[source]:
            raise ValueError(f"rank {rank} differs from rank {source}")
    for tensor in tensors:
        sent = tensor.detach().float()
        dist.broadcast(sent, source)
        tensor.detach().copy_(sent)
