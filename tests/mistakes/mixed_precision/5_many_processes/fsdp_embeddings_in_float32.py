"""embeddings get a policy of their own that gathers them in float32."""


def wrap_fsdp(model, dtype=torch.float16):
    mesh = init_device_mesh(next(model.parameters()).device.type, (dist.get_world_size(),))
    policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32)
    island = MixedPrecisionPolicy(torch.float32, torch.float32, output_dtype=dtype)
    for layer in model.children():
        if next(layer.parameters(), None) is not None:
            fully_shard(layer, mesh=mesh, mp_policy=island if isinstance(layer, nn.Embedding) else policy)
    return fully_shard(model, mesh=mesh, mp_policy=policy)
