"""only trainable weights and buffers are sent from rank 0."""


def wrap_ddp(model):
    kept = [p for p in model.parameters() if p.requires_grad]
    for tensor in [*kept, *model.buffers()]:
        dist.broadcast(tensor.data, src=0)
    return DistributedDataParallel(model, init_sync=False)
