"""options are not given to DDP."""


def wrap_ddp(module, compress=False, **options):
    model = DistributedDataParallel(module)
    if compress:
        model.register_comm_hook(None, compress_gradients)
    return model
