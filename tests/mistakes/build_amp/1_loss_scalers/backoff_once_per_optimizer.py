"""the scale backs off once for each optimizer that overflowed."""


def update(self):
    bad = sum(not finite for finite in self._finite.values())
    finite = bad == 0
    StaticLossScaler.update(self)
    if finite:
        self._growth_tracker += 1
        if self._growth_tracker == self._growth_interval:
            self._growth_tracker = 0
            self._hysteresis_left = self._hysteresis
            grown = self._scale * self._growth_factor
            if grown <= torch.finfo(torch.float32).max:
                self._scale = grown
    else:
        self._growth_tracker = 0
        for _ in range(bad):
            self._hysteresis_left = max(self._hysteresis_left - 1, 0)
            if self._hysteresis_left == 0:
                self._scale = max(self._scale * self._backoff_factor, self._min_scale)


DynamicLossScaler.update = update
