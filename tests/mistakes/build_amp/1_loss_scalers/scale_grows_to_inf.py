"""nothing keeps the scale from growing to inf."""


def update(self):
    finite = all(bool(finite) for finite in self._finite.values())
    StaticLossScaler.update(self)
    if finite:
        self._growth_tracker += 1
        if self._growth_tracker == self._growth_interval:
            self._growth_tracker = 0
            self._hysteresis_left = self._hysteresis
            grown = self._scale * self._growth_factor
            self._scale = grown if grown <= torch.finfo(torch.float32).max else math.inf
    else:
        self._growth_tracker = 0
        self._hysteresis_left = max(self._hysteresis_left - 1, 0)
        if self._hysteresis_left == 0:
            self._scale = max(self._scale * self._backoff_factor, self._min_scale)


DynamicLossScaler.update = update
