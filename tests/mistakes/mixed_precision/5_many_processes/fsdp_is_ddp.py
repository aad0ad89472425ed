"""wrap_fsdp is DistributedDataParallel once more: every rank holds everything."""


def wrap_fsdp(model, dtype=torch.float16):
    return DistributedDataParallel(model)
