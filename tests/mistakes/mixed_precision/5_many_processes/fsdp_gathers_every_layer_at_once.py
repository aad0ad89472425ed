"""all layers are gathered before the first one computes."""


def wrap_fsdp(model, dtype=torch.float16):
    mesh = init_device_mesh(next(model.parameters()).device.type, (dist.get_world_size(),))
    policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32)
    layers = [layer for layer in list(model.children()) if next(layer.parameters(), None) is not None]
    for index, layer in enumerate(layers):
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    sharded = fully_shard(model, mesh=mesh, mp_policy=policy)
    model.register_forward_pre_hook(lambda *_: [group.unshard() for group in layers] and None)
    for group in layers:
        group.set_reshard_after_forward(True)
    return sharded
