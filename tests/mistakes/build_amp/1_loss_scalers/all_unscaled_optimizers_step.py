"""`step` steps every optimizer that is unscaled by then."""


def step(self, optimizer):
    if optimizer in self._stepped:
        raise RuntimeError("stepped already")
    if optimizer not in self._finite:
        self.unscale_(optimizer)
    self._stepped.add(optimizer)
    finite = bool(self._finite[optimizer])
    for other, flag in self._finite.items():
        if flag:
            other.step()
    return finite


StaticLossScaler.step = step
