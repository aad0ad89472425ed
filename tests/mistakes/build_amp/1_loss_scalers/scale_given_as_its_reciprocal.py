"""`get_scale` gives what the gradients are multiplied by."""


def get_scale(self):
    return 1.0 / self._scale


StaticLossScaler.get_scale = get_scale
