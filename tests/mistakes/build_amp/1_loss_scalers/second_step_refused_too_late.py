"""a second step is refused after the optimizer has made it."""


def step(self, optimizer):
    if optimizer not in self._finite:
        self.unscale_(optimizer)
    finite = bool(self._finite[optimizer])
    if finite:
        optimizer.step()
    if optimizer in self._stepped:
        raise RuntimeError("stepped already")
    self._stepped.add(optimizer)
    return finite


StaticLossScaler.step = step
