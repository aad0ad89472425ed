"""the flag of the step before counts too, and so the step after an overflow is skipped as well."""

_step, _before = StaticLossScaler.step, {}


def step(self, optimizer):
    if optimizer not in self._finite and optimizer not in self._stepped:
        self.unscale_(optimizer)
    now = self._finite[optimizer]
    if optimizer not in self._stepped:
        self._finite[optimizer] = now & _before.get((self, optimizer), True)
        _before[self, optimizer] = now
    return _step(self, optimizer)


StaticLossScaler.step = step
