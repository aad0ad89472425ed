"""the sum of the scaled gradients is looked at, before they are divided."""


def unscale_(self, optimizer):
    if optimizer in self._finite:
        raise RuntimeError("unscaled already")
    gradients = [parameter.grad for parameter in _parameters_of_optimizer(optimizer) if parameter.grad is not None]
    self._finite[optimizer] = torch.tensor(True)
    if gradients:
        self._finite[optimizer] = torch.isfinite(torch.stack([gradient.sum() for gradient in gradients])).all()
        torch._foreach_mul_(gradients, 1.0 / self._scale)


StaticLossScaler.unscale_ = unscale_
