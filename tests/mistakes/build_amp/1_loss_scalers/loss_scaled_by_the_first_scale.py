"""the loss is multiplied by the first scale for ever, whatever the scale is by now."""


def scale(self, loss):
    self._first = getattr(self, "_first", self._scale)
    return loss.float() * self._first


StaticLossScaler.scale = scale
