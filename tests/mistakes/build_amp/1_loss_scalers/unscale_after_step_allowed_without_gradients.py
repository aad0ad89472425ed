"""step of an optimizer without gradients leaves no mark that unscale_ knows."""


def step(self, optimizer: Optimizer) -> bool:
    if optimizer in self._stepped:
        raise RuntimeError("this optimizer was stepped already since the last update()")
    if optimizer not in self._finite:
        self.unscale_(optimizer)
    self._stepped.add(optimizer)
    finite = bool(self._finite[optimizer])
    if all(p.grad is None for p in _parameters_of_optimizer(optimizer)):
        del self._finite[optimizer]
    if finite:
        optimizer.step()
    return finite


StaticLossScaler.step = step
