"""a float32 loss is multiplied in place, so that the loss which is reported is the scaled one."""


def scale(self, loss):
    return loss.float().mul_(self._scale)


StaticLossScaler.scale = scale
