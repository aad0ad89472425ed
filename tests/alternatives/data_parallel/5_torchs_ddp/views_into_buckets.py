"""DDP keeps gradients as views into its buckets, unless told otherwise."""


def wrap_ddp(module, compress=False, **options):
    model = DistributedDataParallel(module, **({"gradient_as_bucket_view": True} | options))
    if compress:
        model.register_comm_hook(state=model.process_group, hook=compress_gradients)
    return model
