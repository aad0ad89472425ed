"""buffers of integers are not sent from rank 0."""


def wrap_ddp(model):
    kept = [buffer for buffer in model.buffers() if buffer.is_floating_point()]
    for tensor in [*model.parameters(), *kept]:
        dist.broadcast(tensor.data, src=0)
    return DistributedDataParallel(model, init_sync=False)
