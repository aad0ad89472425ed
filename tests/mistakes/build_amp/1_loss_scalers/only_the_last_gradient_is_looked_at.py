"""the flag is that of the last gradient: each one overwrites that of the one before."""


def unscale_(self, optimizer):
    if optimizer in self._finite:
        raise RuntimeError("unscaled already")
    gradients = [parameter.grad for parameter in _parameters_of_optimizer(optimizer) if parameter.grad is not None]
    self._finite[optimizer] = torch.tensor(True)
    if gradients:
        torch._foreach_mul_(gradients, 1.0 / self._scale)
        self._finite[optimizer] = torch.isfinite(gradients[-1]).all()


StaticLossScaler.unscale_ = unscale_
