"""the policy names param_dtype only, so gradients are averaged in half precision."""


def wrap_fsdp(model, dtype=torch.float16):
    mesh = init_device_mesh(next(model.parameters()).device.type, (dist.get_world_size(),))
    policy = MixedPrecisionPolicy(param_dtype=dtype)
    return fully_shard(model, mesh=mesh, mp_policy=policy)
