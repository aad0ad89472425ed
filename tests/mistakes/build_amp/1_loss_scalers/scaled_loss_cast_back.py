"""the float32 product is cast back to the dtype of the loss."""


def scale(self, loss):
    return (loss.float() * self._scale).to(loss.dtype)


StaticLossScaler.scale = scale
