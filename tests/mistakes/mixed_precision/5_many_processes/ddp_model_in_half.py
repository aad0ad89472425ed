"""the model is cast to half precision before it is wrapped, so there are no float32 master weights."""


def wrap_ddp(model):
    return DistributedDataParallel(model.half())
