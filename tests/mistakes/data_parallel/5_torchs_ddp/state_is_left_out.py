"""the hook is registered without the group that DDP has."""


def wrap_ddp(module, compress=False, **options):
    model = DistributedDataParallel(module, **options)
    if compress:
        model.register_comm_hook(None, compress_gradients)
    return model
