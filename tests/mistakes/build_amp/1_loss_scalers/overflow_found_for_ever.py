"""an overflow is never forgotten: every later step of this optimizer is skipped."""

_unscale, _seen = StaticLossScaler.unscale_, {}


def unscale_(self, optimizer):
    _unscale(self, optimizer)
    _seen[self, optimizer] = self._finite[optimizer] = self._finite[optimizer] & _seen.get((self, optimizer), True)


StaticLossScaler.unscale_ = unscale_
