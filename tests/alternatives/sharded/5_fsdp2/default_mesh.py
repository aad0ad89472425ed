"""lets fully_shard make the mesh, and takes the children that are modules with parameters from the end."""


def fsdp2(model, param_dtype, reduce_dtype=torch.float32, reshard=True):
    _rank_and_ranks()
    for tensor in [*model.parameters(), *model.buffers()]:
        dist.broadcast(tensor.detach(), 0)
    policy = MixedPrecisionPolicy(param_dtype=param_dtype, reduce_dtype=reduce_dtype)
    units = _called_children(model)
    owners = Counter(parameter for unit in units for parameter in unit.parameters())
    for unit in reversed(units):
        if all(owners[parameter] == 1 for parameter in unit.parameters()):
            fully_shard(unit, mp_policy=policy, reshard_after_forward=reshard)
    fully_shard(model, mp_policy=policy, reshard_after_forward=reshard)
    return model
