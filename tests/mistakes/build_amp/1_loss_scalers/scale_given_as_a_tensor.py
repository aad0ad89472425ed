"""`get_scale` gives a tensor, not a number."""


def get_scale(self):
    return torch.tensor(self._scale)


StaticLossScaler.get_scale = get_scale
