"""the children get reshard; what the model itself gathers is freed after the forward pass always."""


def fsdp2(model, param_dtype, reduce_dtype=torch.float32, reshard=True):
    _, ranks = _rank_and_ranks()
    for tensor in [*model.parameters(), *model.buffers()]:
        dist.broadcast(tensor.detach(), 0)
    mesh = init_device_mesh(next(model.parameters()).device.type, (ranks,))
    policy = MixedPrecisionPolicy(param_dtype=param_dtype, reduce_dtype=reduce_dtype)
    units = _called_children(model)
    owners = Counter(parameter for unit in units for parameter in unit.parameters())
    for unit in units:
        if all(owners[parameter] == 1 for parameter in unit.parameters()):
            fully_shard(unit, mesh=mesh, mp_policy=policy, reshard_after_forward=reshard)
    fully_shard(model, mesh=mesh, mp_policy=policy, reshard_after_forward=True)
    return model
