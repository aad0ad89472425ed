"""the groups are lists that a loop fills, by ndim."""


def parameter_groups(model, weight_decay):
    decay, rest = [], []
    for _, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        (decay if parameter.ndim > 1 else rest).append(parameter)
    return [dict(params=decay, weight_decay=weight_decay), dict(params=rest, weight_decay=0.0)]
