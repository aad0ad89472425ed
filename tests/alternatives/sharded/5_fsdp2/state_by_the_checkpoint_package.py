"""uses get_model_state_dict with full_state_dict=True."""


def full_state(model):
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    state = get_model_state_dict(model, options=StateDictOptions(full_state_dict=True))
    whole = {}
    for name in model.state_dict():
        source = [state.get(name)]
        if source[0] is None or dist.get_rank() != 0:
            value = model.state_dict()[name]
            source = [value.full_tensor() if isinstance(value, DTensor) else value]
        else:
            value = model.state_dict()[name]
            value.full_tensor() if isinstance(value, DTensor) else None
        whole[name] = source[0].detach().clone()
    return whole
