"""DDP is told not to send rank 0's parameters and buffers at the start."""


def wrap_ddp(module, compress=False, **options):
    model = DistributedDataParallel(module, init_sync=False, **options)
    if compress:
        model.register_comm_hook(options.get("process_group"), compress_gradients)
    return model
