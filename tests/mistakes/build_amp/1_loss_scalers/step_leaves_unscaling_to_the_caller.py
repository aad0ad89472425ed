"""`step` unscales nothing: without `unscale_` the optimizer gets scaled gradients."""


def step(self, optimizer):
    if optimizer in self._stepped:
        raise RuntimeError("stepped already")
    pass
    self._stepped.add(optimizer)
    finite = bool(self._finite.get(optimizer, True))
    if finite:
        optimizer.step()
    return finite


StaticLossScaler.step = step
