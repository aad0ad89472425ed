"""`step` skips also if a gradient has become inf or nan since `unscale_`."""

_step = StaticLossScaler.step


def step(self, optimizer):
    if optimizer in self._stepped:
        raise RuntimeError("stepped already since the last update()")
    if optimizer not in self._finite:
        self.unscale_(optimizer)
    flags = [torch.isfinite(p.grad).all() for p in _parameters_of_optimizer(optimizer) if p.grad is not None]
    self._finite[optimizer] = torch.stack([self._finite[optimizer], *flags]).all()
    return _step(self, optimizer)


StaticLossScaler.step = step
