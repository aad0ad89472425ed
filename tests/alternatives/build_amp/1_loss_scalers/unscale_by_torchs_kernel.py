"""the kernel of torch's GradScaler looks for inf and nan and divides."""


def unscale_(self, optimizer):
    if optimizer in self._finite:
        raise RuntimeError("unscaled already since the last update()")
    found = torch.zeros(1)
    gradients = [parameter.grad for parameter in _parameters_of_optimizer(optimizer) if parameter.grad is not None]
    if gradients:
        reciprocal = torch.tensor(self._scale, dtype=torch.float64).reciprocal().float()
        torch._amp_foreach_non_finite_check_and_unscale_(gradients, found, reciprocal)
    self._finite[optimizer] = found == 0


StaticLossScaler.unscale_ = unscale_
