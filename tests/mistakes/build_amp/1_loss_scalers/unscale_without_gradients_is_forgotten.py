"""an optimizer without gradients is not remembered as unscaled."""


def unscale_(self, optimizer: Optimizer) -> None:
    if optimizer in self._finite:
        raise RuntimeError("the gradients of this optimizer were unscaled already since the last update()")
    gradients = [parameter.grad for parameter in _parameters_of_optimizer(optimizer) if parameter.grad is not None]
    gradients = [gradient for gradient in gradients if gradient.numel() > 0]
    if not gradients:
        return
    torch._foreach_mul_(gradients, 1.0 / self._scale)
    extremes = [extreme for gradient in gradients for extreme in torch.aminmax(gradient)]
    self._finite[optimizer] = torch.isfinite(torch.stack(extremes)).all()


StaticLossScaler.unscale_ = unscale_


def step(self, optimizer):
    if optimizer in self._stepped:
        raise RuntimeError("this optimizer was stepped already since the last update()")
    if optimizer not in self._finite:
        self.unscale_(optimizer)
    self._stepped.add(optimizer)
    finite = bool(self._finite.get(optimizer, True))
    if finite:
        optimizer.step()
    return finite


StaticLossScaler.step = step
