"""torch's fp16_compress_hook is registered: float16 on the wire, not bfloat16."""

from torch.distributed.algorithms.ddp_comm_hooks import default_hooks


def wrap_ddp(module, compress=False, **options):
    model = DistributedDataParallel(module, **options)
    if compress:
        model.register_comm_hook(options.get("process_group"), default_hooks.fp16_compress_hook)
    return model
