"""the old FullyShardedDataParallel is used, whose shards a plain GradScaler judges rank by rank."""

from torch.distributed.fsdp import FullyShardedDataParallel, MixedPrecision


def wrap_fsdp(model, dtype=torch.float16):
    policy = MixedPrecision(param_dtype=dtype, reduce_dtype=torch.float32)
    return FullyShardedDataParallel(model, mixed_precision=policy, use_orig_params=True, device_id=torch.device("cpu"))
