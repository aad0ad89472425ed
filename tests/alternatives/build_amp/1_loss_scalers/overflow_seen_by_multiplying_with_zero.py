"""inf and nan times 0 are nan, and so is the sum of all; finite numbers give 0."""


def unscale_(self, optimizer):
    if optimizer in self._finite:
        raise RuntimeError("unscaled already since the last update()")
    gradients = [parameter.grad for parameter in _parameters_of_optimizer(optimizer) if parameter.grad is not None]
    for gradient in gradients:
        gradient.mul_(1.0 / self._scale)
    total = sum(((gradient * 0.0).sum() for gradient in gradients), torch.tensor(0.0))
    self._finite[optimizer] = total == 0.0


StaticLossScaler.unscale_ = unscale_
