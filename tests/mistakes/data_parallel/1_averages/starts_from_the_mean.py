"""the ranks start from the mean of their parameters, not from the source's."""

_checked = broadcast_model


def broadcast_model(model, source=0):
    own = [p.detach().clone() for p in model.parameters()]
    _checked(model, source)
    for parameter, mine in zip(model.parameters(), own, strict=True):
        mine /= dist.get_world_size()
        dist.all_reduce(mine)
        parameter.data.copy_(mine)
