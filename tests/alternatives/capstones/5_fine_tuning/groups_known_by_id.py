"""shared parameters are left out by their identity, and the order is by size."""


def parameter_groups(model, weight_decay):
    unique = {id(p): p for module in model.modules() for p in module.parameters(recurse=False) if p.requires_grad}
    ordered = sorted(unique.values(), key=torch.numel)
    return [
        {"weight_decay": decay, "params": [p for p in ordered if (len(p.shape) >= 2) == decays]}
        for decays, decay in ((True, weight_decay), (False, 0.0))
    ]
