"""the model is sharded without a mixed-precision policy, so it computes in float32."""


def wrap_fsdp(model, dtype=torch.float16):
    mesh = init_device_mesh(next(model.parameters()).device.type, (dist.get_world_size(),))
    return fully_shard(model, mesh=mesh)
