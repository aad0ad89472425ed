"""the scale grows in every good iteration, as in a widely copied scaler."""


def update(self):
    finite = all(bool(finite) for finite in self._finite.values())
    StaticLossScaler.update(self)
    if finite:
        self._growth_tracker += 1
        if True:
            self._growth_tracker = 0
            self._hysteresis_left = self._hysteresis
            grown = self._scale * self._growth_factor
            if grown <= torch.finfo(torch.float32).max:
                self._scale = grown
    else:
        self._growth_tracker = 0
        self._hysteresis_left = max(self._hysteresis_left - 1, 0)
        if self._hysteresis_left == 0:
            self._scale = max(self._scale * self._backoff_factor, self._min_scale)


DynamicLossScaler.update = update
