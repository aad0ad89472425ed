"""an optimizer without any gradient counts as one that overflowed."""


def unscale_(self, optimizer):
    if optimizer in self._finite:
        raise RuntimeError("unscaled already")
    gradients = [parameter.grad for parameter in _parameters_of_optimizer(optimizer) if parameter.grad is not None]
    self._finite[optimizer] = torch.tensor(False)
    if gradients:
        torch._foreach_mul_(gradients, 1.0 / self._scale)
        self._finite[optimizer] = torch.stack([torch.isfinite(gradient).all() for gradient in gradients]).all()


StaticLossScaler.unscale_ = unscale_
