"""a shared parameter is in no group."""


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    every = [id(p) for m in model.modules() for p in m.parameters(recurse=False)]
    parameters = [p for p in parameters if every.count(id(p)) == 1]
    return [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
