"""the model is cast to half precision and then sharded: the shards are no float32 master weights."""


def wrap_fsdp(model, dtype=torch.float16):
    mesh = init_device_mesh(next(model.parameters()).device.type, (dist.get_world_size(),))
    return fully_shard(model.to(dtype), mesh=mesh, mp_policy=MixedPrecisionPolicy(reduce_dtype=torch.float32))
