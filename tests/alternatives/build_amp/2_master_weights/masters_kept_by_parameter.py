"""the masters are kept in a dict by parameter, and the optimizer's gradients are cleared before each step."""


def step(self, scale=1.0, max_grad_norm=None):
    _require_positive_finite("scale", scale)
    self._optimizer.zero_grad(set_to_none=True)
    pairs = dict(zip(self._halves, self._masters, strict=True))
    for half, master in pairs.items():
        if half.grad is not None:
            master.grad = half.grad.detach().to(torch.float32).div_(scale)
    gradients = [master.grad for master in self._masters if master.grad is not None]
    if not all(bool(torch.isfinite(gradient).all()) for gradient in gradients):
        return False
    if max_grad_norm is not None:
        nn.utils.clip_grad_norm_(self._masters, max_grad_norm)
    self._optimizer.step()
    self._round_into_model()
    return True


MasterWeights.step = step
