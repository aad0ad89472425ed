"""the last Linear gets a policy of its own that gathers and computes it in float32."""


def wrap_fsdp(model, dtype=torch.float16):
    mesh = init_device_mesh(next(model.parameters()).device.type, (dist.get_world_size(),))
    policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32)
    island = MixedPrecisionPolicy(torch.float32, torch.float32, output_dtype=dtype)
    linears = [layer for layer in model.children() if isinstance(layer, nn.Linear)]
    for layer in model.children():
        if next(layer.parameters(), None) is not None:
            last = len(linears) > 1 and layer is linears[-1]
            fully_shard(layer, mesh=mesh, mp_policy=island if last else policy)
    return fully_shard(model, mesh=mesh, mp_policy=policy)
