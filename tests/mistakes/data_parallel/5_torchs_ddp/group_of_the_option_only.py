"""the hook gets the option process_group, and the default group where DDP has its group from a device mesh."""


def wrap_ddp(module, compress=False, **options):
    model = DistributedDataParallel(module, **options)
    if compress:
        model.register_comm_hook(options.get("process_group"), compress_gradients)
    return model
