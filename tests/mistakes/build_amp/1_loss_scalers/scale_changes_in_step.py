"""the scale backs off in `step` already, and the gradients of the next optimizer are divided by another one."""

_step, _update = DynamicLossScaler.step, DynamicLossScaler.update


def step(self, optimizer):
    stepped = _step(self, optimizer)
    if not stepped:
        self._scale = max(self._scale * self._backoff_factor, self._min_scale)
    return stepped


def update(self):
    scale, finite = self._scale, all(bool(finite) for finite in self._finite.values())
    _update(self)
    self._scale = self._scale if finite else scale


DynamicLossScaler.step, DynamicLossScaler.update = step, update
