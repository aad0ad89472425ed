"""DistributedDataParallel keeps gradients as views of its buckets."""


def wrap_ddp(model):
    return DistributedDataParallel(model, gradient_as_bucket_view=True, find_unused_parameters=True)
