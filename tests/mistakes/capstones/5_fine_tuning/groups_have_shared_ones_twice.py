"""a shared parameter is in its group once for each module."""


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    parameters = [p for m in model.modules() for p in m.parameters(recurse=False) if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
