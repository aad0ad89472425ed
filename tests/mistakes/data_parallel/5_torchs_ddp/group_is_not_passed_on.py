"""DDP always works on the default group."""


def wrap_ddp(module, compress=False, **options):
    group = options.pop("process_group", None)
    model = DistributedDataParallel(module, **options)
    if compress:
        model.register_comm_hook(group, compress_gradients)
    return model
