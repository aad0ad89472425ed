"""`step` looks at the gradients again, and an overflow that the caller has repaired since is none."""


def step(self, optimizer):
    if optimizer in self._stepped:
        raise RuntimeError("stepped already")
    if optimizer not in self._finite:
        self.unscale_(optimizer)
    self._stepped.add(optimizer)
    finite = all(bool(torch.isfinite(p.grad).all()) for p in _parameters_of_optimizer(optimizer) if p.grad is not None)
    if finite:
        optimizer.step()
    return finite


StaticLossScaler.step = step
