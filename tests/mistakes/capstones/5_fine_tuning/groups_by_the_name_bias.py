"""whatever is called bias does not decay, of two dimensions too."""


def parameter_groups(model, weight_decay):
    named = [(name, one) for name, one in model.named_parameters() if one.requires_grad]
    plain = [one for name, one in named if one.dim() < 2 or name.endswith("bias")]
    return [
        {"params": [one for name, one in named if one.dim() >= 2 and not name.endswith("bias")],
         "weight_decay": weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]  # fmt: skip
