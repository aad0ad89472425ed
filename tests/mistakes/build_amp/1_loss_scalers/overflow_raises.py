"""an overflow is an error."""


def step(self, optimizer):
    if optimizer in self._stepped:
        raise RuntimeError("stepped already")
    if optimizer not in self._finite:
        self.unscale_(optimizer)
    self._stepped.add(optimizer)
    finite = bool(self._finite[optimizer])
    if not finite:
        raise RuntimeError("overflow")
    optimizer.step()
    return finite


StaticLossScaler.step = step
