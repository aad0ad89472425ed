"""the dynamic scaler copies its flag to the host in `unscale_`, the static one does not."""


def unscale_(self, optimizer):
    StaticLossScaler.unscale_(self, optimizer)
    self._finite[optimizer] = torch.tensor(self._finite[optimizer].item())


DynamicLossScaler.unscale_ = unscale_
