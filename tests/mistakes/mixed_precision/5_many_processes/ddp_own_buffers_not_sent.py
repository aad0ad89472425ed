"""buffers of layers are sent from rank 0, those of the model itself are not."""


def wrap_ddp(model):
    kept = [buffer for layer in model.children() for buffer in layer.buffers()]
    for tensor in [*model.parameters(), *kept]:
        dist.broadcast(tensor.data, src=0)
    return DistributedDataParallel(model, init_sync=False)
