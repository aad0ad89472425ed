"""the 16-bit gradients are looked at, not the quotients, which a scale below 1 can make inf."""


def step(self, scale=1.0, max_grad_norm=None):
    _require_positive_finite("scale", scale)
    if any(not half.grad.isfinite().all() for half in self._halves if half.grad is not None):
        return False
    for master, half in zip(self._masters, self._halves, strict=True):
        master.grad = None if half.grad is None else half.grad.float() / scale
    if max_grad_norm is not None:
        nn.utils.clip_grad_norm_(self._masters, max_grad_norm)
    self._optimizer.step()
    self._round_into_model()
    return True


MasterWeights.step = step
