"""log_softmax is computed in half precision, only the loss in float32."""


def fp32_cross_entropy(input, target, weight=None, reduction="mean"):
    weight = None if weight is None else weight.float()
    with torch.autocast(input.device.type, enabled=False):
        return F.nll_loss(F.log_softmax(input, -1).float(), target, weight=weight, reduction=reduction)
