"""`step` skips, but an overflow that the caller has repaired is no overflow for `update`."""

_step = StaticLossScaler.step


def step(self, optimizer):
    stepped = _step(self, optimizer)
    flags = [torch.isfinite(p.grad).all() for p in _parameters_of_optimizer(optimizer) if p.grad is not None]
    self._finite[optimizer] = torch.stack([torch.tensor(True), *flags]).all()
    return stepped


StaticLossScaler.step = step
