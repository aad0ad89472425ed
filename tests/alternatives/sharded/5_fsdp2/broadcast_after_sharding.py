"""distributes rank 0's weights after they have been sharded."""


def fsdp2(model, param_dtype, reduce_dtype=torch.float32, reshard=True):
    _, ranks = _rank_and_ranks()
    whole = {name: value.detach().clone() for name, value in model.state_dict().items()}
    for value in [*whole.values(), *model.buffers()]:
        dist.broadcast(value, 0)
    mesh = init_device_mesh(next(model.parameters()).device.type, (ranks,))
    policy = MixedPrecisionPolicy(param_dtype=param_dtype, reduce_dtype=reduce_dtype)
    units = _called_children(model)
    owners = Counter(parameter for unit in units for parameter in unit.parameters())
    for unit in units:
        if all(owners[parameter] == 1 for parameter in unit.parameters()):
            fully_shard(unit, mesh=mesh, mp_policy=policy, reshard_after_forward=reshard)
    fully_shard(model, mesh=mesh, mp_policy=policy, reshard_after_forward=reshard)
    from torch.distributed.tensor import distribute_tensor

    with torch.no_grad():
        for name, value in model.state_dict().items():
            value.copy_(
                distribute_tensor(whole[name], mesh, value.placements) if isinstance(value, DTensor) else whole[name]
            )
    return model
