"""an overflow of an optimizer that was unscaled and then not stepped does not count."""


def update(self):
    finite = all(bool(flag) for optimizer, flag in self._finite.items() if optimizer in self._stepped)
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
        self._hysteresis_left = max(self._hysteresis_left - 1, 0)
        if self._hysteresis_left == 0:
            self._scale = max(self._scale * self._backoff_factor, self._min_scale)


DynamicLossScaler.update = update
