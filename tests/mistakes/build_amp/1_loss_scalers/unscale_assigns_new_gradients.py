"""the divided gradients are new tensors in the place of the old ones, as in a widely copied scaler."""


def unscale_(self, optimizer):
    if optimizer in self._finite:
        raise RuntimeError("unscaled already")
    finite = torch.tensor(True)
    for parameter in _parameters_of_optimizer(optimizer):
        if parameter.grad is not None:
            parameter.grad = parameter.grad / self._scale
            finite = finite & torch.isfinite(parameter.grad).all()
    self._finite[optimizer] = finite


StaticLossScaler.unscale_ = unscale_
