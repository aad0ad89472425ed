"""with other options the hook is not registered."""


def wrap_ddp(module, compress=False, **options):
    model = DistributedDataParallel(module, **options)
    if compress and not options:
        model.register_comm_hook(None, compress_gradients)
    return model
