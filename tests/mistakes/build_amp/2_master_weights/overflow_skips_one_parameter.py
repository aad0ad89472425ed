"""only the parameter whose gradient overflowed is left out of the step."""


def step(self, scale=1.0, max_grad_norm=None):
    _require_positive_finite("scale", scale)
    for master, half in zip(self._masters, self._halves, strict=True):
        master.grad = None if half.grad is None else half.grad.float() / scale
    bad = [m for m in self._masters if m.grad is not None and not torch.isfinite(m.grad).all()]
    for master in bad:
        master.grad = None
    if max_grad_norm is not None:
        nn.utils.clip_grad_norm_(self._masters, max_grad_norm)
    self._optimizer.step()
    self._round_into_model()
    return not bad


MasterWeights.step = step
