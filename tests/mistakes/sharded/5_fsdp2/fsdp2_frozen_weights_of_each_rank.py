"""frozen weights stay each rank's own under FSDP2."""

_fsdp2 = fsdp2


def fsdp2(model, *args, **kwargs):
    own = {name: one.detach().clone() for name, one in model.named_parameters() if not one.requires_grad}
    model = _fsdp2(model, *args, **kwargs)
    ranks = dist.get_world_size() if own else 1
    for name, one in model.named_parameters():
        if name in own:
            part = one.to_local()
            part.data.copy_(own[name].split(math.ceil(len(own[name]) / ranks))[dist.get_rank()])
    return model
