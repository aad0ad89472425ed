"""gradients are compressed unless compress is False."""


def wrap_ddp(module, compress=True, **options):
    model = DistributedDataParallel(module, **options)
    if compress:
        model.register_comm_hook(options.get("process_group"), compress_gradients)
    return model
