"""one flag serves all optimizers: those stepped after an overflow of another are skipped too."""


def step(self, optimizer):
    if optimizer in self._stepped:
        raise RuntimeError("stepped already")
    if optimizer not in self._finite:
        self.unscale_(optimizer)
    self._stepped.add(optimizer)
    finite = all(bool(finite) for finite in self._finite.values())
    if finite:
        optimizer.step()
    return finite


StaticLossScaler.step = step
