"""the module is wrapped in DDP twice."""


def wrap_ddp(module, compress=False, **options):
    return DistributedDataParallel(DistributedDataParallel(module, **options), **options)
