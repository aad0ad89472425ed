"""param_dtype and reduce_dtype are swapped: float32 arithmetic, half-precision averages."""


def wrap_fsdp(model, dtype=torch.float16):
    mesh = init_device_mesh(next(model.parameters()).device.type, (dist.get_world_size(),))
    policy = MixedPrecisionPolicy(param_dtype=torch.float32, reduce_dtype=dtype)
    return fully_shard(model, mesh=mesh, mp_policy=policy)
