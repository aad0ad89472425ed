"""`step` returns what `optimizer.step()` returns, which is None."""


def step(self, optimizer):
    if optimizer in self._stepped:
        raise RuntimeError("stepped already")
    if optimizer not in self._finite:
        self.unscale_(optimizer)
    self._stepped.add(optimizer)
    finite = bool(self._finite[optimizer])
    return optimizer.step() if finite else None
    return finite


StaticLossScaler.step = step
