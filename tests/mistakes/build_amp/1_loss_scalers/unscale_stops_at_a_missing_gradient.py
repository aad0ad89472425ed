"""the loop ends at the first parameter without a gradient instead of passing over it."""


def unscale_(self, optimizer):
    if optimizer in self._finite:
        raise RuntimeError("unscaled already")
    finite = torch.tensor(True)
    for parameter in _parameters_of_optimizer(optimizer):
        if parameter.grad is None:
            break
        parameter.grad.mul_(1.0 / self._scale)
        finite = finite & torch.isfinite(parameter.grad).all()
    self._finite[optimizer] = finite


StaticLossScaler.unscale_ = unscale_
