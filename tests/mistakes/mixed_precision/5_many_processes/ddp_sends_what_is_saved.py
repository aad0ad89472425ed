"""only what is in the state_dict is sent from rank 0, not buffers that are not persistent."""


def wrap_ddp(model):
    for tensor in model.state_dict().values():
        dist.broadcast(tensor.data, src=0)
    return DistributedDataParallel(model, init_sync=False)
