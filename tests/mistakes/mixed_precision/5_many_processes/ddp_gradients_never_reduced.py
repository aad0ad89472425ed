"""a hook hands DistributedDataParallel each rank's own gradients instead of the average."""


def _own(state, bucket):
    future = torch.futures.Future()
    future.set_result(bucket.buffer())
    return future


def wrap_ddp(model):
    wrapped = DistributedDataParallel(model)
    wrapped.register_comm_hook(None, _own)
    return wrapped
