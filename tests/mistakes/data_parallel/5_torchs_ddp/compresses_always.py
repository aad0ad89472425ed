"""the hook is registered, whatever compress says."""


def wrap_ddp(module, compress=False, **options):
    model = DistributedDataParallel(module, **options)
    model.register_comm_hook(options.get("process_group"), compress_gradients)
    return model
