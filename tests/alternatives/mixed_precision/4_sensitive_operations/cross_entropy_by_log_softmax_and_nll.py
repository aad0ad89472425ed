"""cross entropy is log_softmax and nll_loss, both in float32."""


def fp32_cross_entropy(input, target, weight=None, reduction="mean"):
    with torch.autocast(input.device.type, enabled=False):
        log_probabilities = F.log_softmax(input, dim=-1, dtype=torch.float32)
        return F.nll_loss(log_probabilities, target, weight if weight is None else weight.float(), reduction=reduction)
