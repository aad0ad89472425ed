"""gradients are averaged in bfloat16."""


def wrap_fsdp(model, dtype=torch.float16):
    mesh = init_device_mesh(next(model.parameters()).device.type, (dist.get_world_size(),))
    policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.bfloat16)
    return fully_shard(model, mesh=mesh, mp_policy=policy)
