"""an update before which no optimizer was unscaled or stepped is an overflow."""


def update(self) -> None:
    finite = bool(self._finite) and all(bool(finite) for finite in self._finite.values())
    super(DynamicLossScaler, self).update()
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
