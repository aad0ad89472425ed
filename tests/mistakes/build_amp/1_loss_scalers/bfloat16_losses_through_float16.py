"""a bfloat16 loss is made float16 first."""


def scale(self, loss):
    loss = loss.half() if loss.dtype == torch.bfloat16 else loss
    return loss.float() * self._scale


StaticLossScaler.scale = scale
