"""a scale that float32 cannot hold is an error."""


def update(self):
    finite = all(bool(finite) for finite in self._finite.values())
    StaticLossScaler.update(self)
    if finite:
        self._growth_tracker += 1
        if self._growth_tracker == self._growth_interval:
            self._growth_tracker = 0
            self._hysteresis_left = self._hysteresis
            grown = self._scale * self._growth_factor
            _require_positive_finite("scale", torch.tensor(grown, dtype=torch.float64).float().item())
            self._scale = grown
    else:
        self._growth_tracker = 0
        self._hysteresis_left = max(self._hysteresis_left - 1, 0)
        if self._hysteresis_left == 0:
            self._scale = max(self._scale * self._backoff_factor, self._min_scale)


DynamicLossScaler.update = update
