"""the inf and nan entries are counted with `nonzero`, for which the host has to wait."""


def unscale_(self, optimizer):
    if optimizer in self._finite:
        raise RuntimeError("unscaled already")
    gradients = [parameter.grad for parameter in _parameters_of_optimizer(optimizer) if parameter.grad is not None]
    self._finite[optimizer] = torch.tensor(True)
    if gradients:
        torch._foreach_mul_(gradients, 1.0 / self._scale)
        self._finite[optimizer] = torch.tensor(
            sum(len((~torch.isfinite(gradient)).nonzero()) for gradient in gradients) == 0
        )


StaticLossScaler.unscale_ = unscale_
