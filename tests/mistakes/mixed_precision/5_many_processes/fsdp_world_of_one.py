"""the mesh holds one rank only, so every rank keeps everything and trains alone."""


def wrap_fsdp(model, dtype=torch.float16):
    groups = [dist.new_group([rank]) for rank in range(dist.get_world_size())]
    device = next(model.parameters()).device.type
    mesh = dist.device_mesh.DeviceMesh.from_group(groups[dist.get_rank()], device)
    return fully_shard(model, mesh=mesh, mp_policy=MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32))
