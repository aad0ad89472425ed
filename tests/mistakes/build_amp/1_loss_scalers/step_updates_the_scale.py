"""`step` ends the iteration itself, and `update` counts it a second time."""

_step = StaticLossScaler.step


def step(self, optimizer):
    finite = _step(self, optimizer)
    self.update()
    return finite


StaticLossScaler.step = step
