"""torch's own bf16_compress_hook is registered, which it refuses without NCCL."""

from torch.distributed.algorithms.ddp_comm_hooks import default_hooks


def wrap_ddp(module, compress=False, **options):
    model = DistributedDataParallel(module, **options)
    if compress:
        model.register_comm_hook(options.get("process_group"), default_hooks.bf16_compress_hook)
    return model
