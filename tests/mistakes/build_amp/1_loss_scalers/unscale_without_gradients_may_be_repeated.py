"""unscale_ looks for gradients before it looks whether it was called already."""


def unscale_(self, optimizer: Optimizer) -> None:
    if optimizer in self._finite and any(p.grad is not None for p in _parameters_of_optimizer(optimizer)):
        raise RuntimeError("the gradients of this optimizer were unscaled already since the last update()")
    gradients = [parameter.grad for parameter in _parameters_of_optimizer(optimizer) if parameter.grad is not None]
    gradients = [gradient for gradient in gradients if gradient.numel() > 0]
    self._finite[optimizer] = torch.tensor(True)
    if gradients:
        torch._foreach_mul_(gradients, 1.0 / self._scale)
        # One pass over each gradient: both of its extremes are finite if all entries are; a nan is both of them.
        extremes = [extreme for gradient in gradients for extreme in torch.aminmax(gradient)]
        self._finite[optimizer] = torch.isfinite(torch.stack(extremes)).all()


StaticLossScaler.unscale_ = unscale_
