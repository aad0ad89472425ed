"""an optimizer without any gradient is said to have been skipped."""


def step(self, optimizer):
    if optimizer in self._stepped:
        raise RuntimeError("stepped already")
    if optimizer not in self._finite:
        self.unscale_(optimizer)
    self._stepped.add(optimizer)
    if all(parameter.grad is None for parameter in _parameters_of_optimizer(optimizer)):
        return False
    finite = bool(self._finite[optimizer])
    if finite:
        optimizer.step()
    return finite


StaticLossScaler.step = step
