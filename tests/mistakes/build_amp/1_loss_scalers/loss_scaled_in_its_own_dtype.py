"""the loss is multiplied in its own dtype, so that a float16 loss becomes inf, as in a widely copied trainer."""


def scale(self, loss):
    return loss * self._scale


StaticLossScaler.scale = scale
