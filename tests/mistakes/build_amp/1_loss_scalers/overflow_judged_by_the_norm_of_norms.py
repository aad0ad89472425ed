"""each gradient is looked at entry by entry, and then their maxima are added up."""


def unscale_(self, optimizer):
    if optimizer in self._finite:
        raise RuntimeError("unscaled already")
    gradients = [parameter.grad for parameter in _parameters_of_optimizer(optimizer) if parameter.grad is not None]
    self._finite[optimizer] = torch.tensor(True)
    if gradients:
        torch._foreach_mul_(gradients, 1.0 / self._scale)
        self._finite[optimizer] = torch.isfinite(torch.stack([gradient.abs().max() for gradient in gradients]).sum())


StaticLossScaler.unscale_ = unscale_
