"""a float16 loss becomes float32, a bfloat16 one stays bfloat16."""


def scale(self, loss):
    return (loss.float() if loss.dtype == torch.float16 else loss) * self._scale


StaticLossScaler.scale = scale
