"""only the gradients of the first parameter group are divided and looked at."""


def unscale_(self, optimizer):
    if optimizer in self._finite:
        raise RuntimeError("unscaled already")
    gradients = [parameter.grad for parameter in optimizer.param_groups[0]["params"] if parameter.grad is not None]
    self._finite[optimizer] = torch.tensor(True)
    if gradients:
        torch._foreach_mul_(gradients, 1.0 / self._scale)
        self._finite[optimizer] = torch.stack([torch.isfinite(gradient).all() for gradient in gradients]).all()


StaticLossScaler.unscale_ = unscale_
