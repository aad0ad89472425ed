"""cross entropy is the module nn.CrossEntropyLoss on float32 logits."""


def fp32_cross_entropy(input, target, weight=None, reduction="mean"):
    criterion = nn.CrossEntropyLoss(weight=None if weight is None else weight.float(), reduction=reduction)
    with torch.autocast(device_type=input.device.type, enabled=False):
        return criterion(input.float(), target)
