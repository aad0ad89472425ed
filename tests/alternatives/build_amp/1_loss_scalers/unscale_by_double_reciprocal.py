"""the gradients are multiplied by the reciprocal of the scale, computed in double as a tensor."""


def unscale_(self, optimizer):
    if optimizer in self._finite:
        raise RuntimeError("unscaled already since the last update()")
    reciprocal = torch.tensor(self._scale, dtype=torch.float64).reciprocal()
    flags = [torch.tensor(True)]
    for parameter in _parameters_of_optimizer(optimizer):
        if parameter.grad is not None:
            parameter.grad.copy_(parameter.grad.double() * reciprocal)
            flags.append(parameter.grad.isfinite().all())
    self._finite[optimizer] = torch.stack(flags).all()


StaticLossScaler.unscale_ = unscale_
