"""a second step before `update` is ignored instead of refused."""


def step(self, optimizer):
    if optimizer in self._stepped:
        return False
    if optimizer not in self._finite:
        self.unscale_(optimizer)
    self._stepped.add(optimizer)
    finite = bool(self._finite[optimizer])
    if finite:
        optimizer.step()
    return finite


StaticLossScaler.step = step
