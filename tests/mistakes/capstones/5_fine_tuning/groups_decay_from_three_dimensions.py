"""matrices do not decay."""


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in parameters if p.dim() > 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() <= 2], "weight_decay": 0.0},
    ]
