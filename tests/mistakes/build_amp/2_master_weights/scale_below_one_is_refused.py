"""`step` refuses a scale below 1."""


def step(self, scale: float = 1.0, max_grad_norm: float | None = None) -> bool:
    _require_positive_finite("scale", scale)
    if scale < 1.0:
        raise ValueError("the scale must be at least 1")
    for master, half in zip(self._masters, self._halves, strict=True):
        master.grad = None if half.grad is None else half.grad.float() / scale
    gradients = [master.grad for master in self._masters if master.grad is not None]
    if not all(bool(torch.isfinite(gradient).all()) for gradient in gradients):
        return False
    if max_grad_norm is not None:
        nn.utils.clip_grad_norm_(self._masters, max_grad_norm)
    self._optimizer.step()
    self._round_into_model()
    return True


MasterWeights.step = step
