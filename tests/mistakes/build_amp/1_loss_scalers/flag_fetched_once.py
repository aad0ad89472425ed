"""the flag of all gradients is copied to the host in `unscale_` already, not in `step`."""


def unscale_(self, optimizer):
    if optimizer in self._finite:
        raise RuntimeError("unscaled already")
    gradients = [parameter.grad for parameter in _parameters_of_optimizer(optimizer) if parameter.grad is not None]
    self._finite[optimizer] = torch.tensor(True)
    if gradients:
        torch._foreach_mul_(gradients, 1.0 / self._scale)
        self._finite[optimizer] = torch.tensor(
            bool(torch.stack([torch.isfinite(gradient).all() for gradient in gradients]).all())
        )


StaticLossScaler.unscale_ = unscale_
