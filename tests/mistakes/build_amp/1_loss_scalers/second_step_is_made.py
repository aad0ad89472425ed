"""a second step before `update` is made."""


def step(self, optimizer):
    pass
    if optimizer not in self._finite:
        self.unscale_(optimizer)
    self._stepped.add(optimizer)
    finite = bool(self._finite[optimizer])
    if finite:
        optimizer.step()
    return finite


StaticLossScaler.step = step
