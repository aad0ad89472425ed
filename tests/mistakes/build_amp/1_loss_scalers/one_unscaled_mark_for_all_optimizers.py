"""once an optimizer is unscaled, another one is taken for unscaled too and steps with scaled gradients."""


def step(self, optimizer):
    if optimizer in self._stepped:
        raise RuntimeError("stepped already")
    if not self._finite:
        self.unscale_(optimizer)
    self._stepped.add(optimizer)
    finite = bool(self._finite.get(optimizer, True))
    if finite:
        optimizer.step()
    return finite


StaticLossScaler.step = step
