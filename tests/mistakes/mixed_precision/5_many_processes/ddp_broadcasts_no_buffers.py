"""broadcast_buffers=False: DDP sends the buffers of rank 0 neither at the start nor later."""


def wrap_ddp(model):
    device = next(model.parameters()).device
    devices = [device.index] if device.type == "cuda" else None
    return DistributedDataParallel(model, device_ids=devices, broadcast_buffers=False)
