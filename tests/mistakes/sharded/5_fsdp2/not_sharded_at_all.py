"""the model comes back as DistributedDataParallel."""


def fsdp2(model, param_dtype, reduce_dtype=torch.float32, reshard=True):
    _rank_and_ranks()
    return nn.parallel.DistributedDataParallel(model)
