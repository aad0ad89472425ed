"""a gradient without elements is asked for its extremes, which raises."""


def unscale_(self, optimizer):
    if optimizer in self._finite:
        raise RuntimeError("unscaled already since the last update()")
    gradients = [parameter.grad for parameter in _parameters_of_optimizer(optimizer) if parameter.grad is not None]
    self._finite[optimizer] = torch.tensor(True)
    if gradients:
        torch._foreach_div_(gradients, self._scale)
        extremes = [extreme for gradient in gradients for extreme in torch.aminmax(gradient)]
        self._finite[optimizer] = torch.isfinite(torch.stack(extremes)).all()


StaticLossScaler.unscale_ = unscale_
