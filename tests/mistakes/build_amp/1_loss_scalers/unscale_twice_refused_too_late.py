"""a second `unscale_` is refused after it has divided the gradients again."""


def unscale_(self, optimizer):
    gradients = [parameter.grad for parameter in _parameters_of_optimizer(optimizer) if parameter.grad is not None]
    finite = torch.tensor(True)
    for gradient in gradients:
        gradient.mul_(1.0 / self._scale)
        finite = finite & torch.isfinite(gradient).all()
    if optimizer in self._finite:
        raise RuntimeError("unscaled already")
    self._finite[optimizer] = finite


StaticLossScaler.unscale_ = unscale_
