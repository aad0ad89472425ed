"""the last layer stays gathered after its forward."""


def wrap_fsdp(model, dtype=torch.float16):
    mesh = init_device_mesh(next(model.parameters()).device.type, (dist.get_world_size(),))
    policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32)
    layers = [layer for layer in list(model.children()) if next(layer.parameters(), None) is not None]
    for index, layer in enumerate(layers):
        fully_shard(layer, mesh=mesh, mp_policy=policy, reshard_after_forward=index < len(layers) - 1)
    sharded = fully_shard(model, mesh=mesh, mp_policy=policy)
    return sharded
