"""the bucket size is always DDP's default."""


def wrap_ddp(module, compress=False, **options):
    options.pop("bucket_cap_mb", None)
    model = DistributedDataParallel(module, **options)
    if compress:
        model.register_comm_hook(options.get("process_group"), compress_gradients)
    return model
