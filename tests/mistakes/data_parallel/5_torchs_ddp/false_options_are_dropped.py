"""options that are False are not given to DDP, which takes some for True by default."""


def wrap_ddp(module, compress=False, **options):
    model = DistributedDataParallel(module, **{name: value for name, value in options.items() if value})
    if compress:
        model.register_comm_hook(model.process_group, compress_gradients)
    return model
