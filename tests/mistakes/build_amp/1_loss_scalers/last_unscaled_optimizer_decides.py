"""one flag serves all optimizers: that of the one which was unscaled last."""


def step(self, optimizer):
    if optimizer in self._stepped:
        raise RuntimeError("stepped already")
    if optimizer not in self._finite:
        self.unscale_(optimizer)
    self._stepped.add(optimizer)
    finite = bool(list(self._finite.values())[-1])
    if finite:
        optimizer.step()
    return finite


StaticLossScaler.step = step
