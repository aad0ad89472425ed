"""layers whose parameters are all vectors, as norms are, compute in float32."""


def wrap_fsdp(model, dtype=torch.float16):
    mesh = init_device_mesh(next(model.parameters()).device.type, (dist.get_world_size(),))
    policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32)
    island = MixedPrecisionPolicy(torch.float32, torch.float32, output_dtype=dtype)
    for layer in model.children():
        if next(layer.parameters(), None) is not None:
            fully_shard(
                layer, mesh=mesh, mp_policy=island if all(one.dim() < 2 for one in layer.parameters()) else policy
            )
    return fully_shard(model, mesh=mesh, mp_policy=policy)
