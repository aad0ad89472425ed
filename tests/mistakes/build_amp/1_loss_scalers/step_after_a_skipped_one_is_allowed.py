"""a second step is refused only if the first one was made."""


def step(self, optimizer):
    if optimizer in self._stepped:
        raise RuntimeError("stepped already")
    if optimizer not in self._finite:
        self.unscale_(optimizer)
    finite = bool(self._finite[optimizer])
    if finite:
        self._stepped.add(optimizer)
        optimizer.step()
    return finite


StaticLossScaler.step = step
