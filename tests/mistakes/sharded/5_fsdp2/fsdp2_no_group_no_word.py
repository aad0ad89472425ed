"""without a group it gives the model back unsharded."""

_sharded = fsdp2


def fsdp2(model, param_dtype, reduce_dtype=torch.float32, reshard=True):
    return _sharded(model, param_dtype, reduce_dtype, reshard) if dist.is_initialized() else model
