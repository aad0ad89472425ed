"""layer norms cast their input and parameters to float32 before they compute."""


def wrap_fsdp(model, dtype=torch.float16):
    mesh = init_device_mesh(next(model.parameters()).device.type, (dist.get_world_size(),))
    policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32)
    for layer in model.children():
        if next(layer.parameters(), None) is not None:
            fully_shard(layer, mesh=mesh, mp_policy=policy)
        if isinstance(layer, nn.LayerNorm):
            layer.forward = lambda x, layer=layer: F.layer_norm(
                x.float(), layer.normalized_shape, layer.weight.float(), layer.bias.float(), layer.eps
            ).to(x.dtype)
    return fully_shard(model, mesh=mesh, mp_policy=policy)
