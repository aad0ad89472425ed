"""the loss is multiplied by the scale as a float32 tensor."""


def scale(self, loss):
    return torch.mul(loss.to(torch.float32), torch.tensor(self._scale, dtype=torch.float32))


StaticLossScaler.scale = scale
