"""find_unused_parameters is always False."""


def wrap_ddp(module, compress=False, **options):
    model = DistributedDataParallel(module, **(options | {"find_unused_parameters": False}))
    if compress:
        model.register_comm_hook(options.get("process_group"), compress_gradients)
    return model
