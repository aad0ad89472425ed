"""buffers are not sent from rank 0."""


def wrap_ddp(model):
    kept = list(model.parameters())
    for tensor in kept:
        dist.broadcast(tensor.data, src=0)
    return DistributedDataParallel(model, init_sync=False)
