"""a second step is refused only if the optimizer has gradients."""


def step(self, optimizer: Optimizer) -> bool:
    if optimizer in self._stepped and any(p.grad is not None for p in _parameters_of_optimizer(optimizer)):
        raise RuntimeError("this optimizer was stepped already since the last update()")
    if optimizer not in self._finite:
        self.unscale_(optimizer)
    self._stepped.add(optimizer)
    finite = bool(self._finite[optimizer])
    if finite:
        optimizer.step()
    return finite


StaticLossScaler.step = step
