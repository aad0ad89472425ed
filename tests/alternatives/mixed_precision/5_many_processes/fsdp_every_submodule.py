"""FSDP shards every submodule that has parameters, from the leaves up."""


def wrap_fsdp(model, dtype=torch.float16):
    mesh = init_device_mesh(next(model.parameters()).device.type, (dist.get_world_size(),))
    policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32)
    for module in reversed(list(model.modules())):
        if list(module.parameters()):
            fully_shard(module, mesh=mesh, mp_policy=policy)
    return model
