"""the dynamic scaler counts the good iterations that are left until it grows."""


def update(self):
    overflow = bool(self._finite) and not torch.stack([*self._finite.values()]).all()
    self._finite, self._stepped = {}, set()
    left = self._growth_interval - self._growth_tracker
    if overflow:
        left = self._growth_interval
        self._hysteresis_left -= self._hysteresis_left > 0
        self._scale *= 1.0 if self._hysteresis_left else self._backoff_factor
        self._scale = self._scale if self._hysteresis_left else max(self._min_scale, self._scale)
    elif left == 1:
        left, self._hysteresis_left = self._growth_interval, self._hysteresis
        grown = torch.tensor(self._scale * self._growth_factor, dtype=torch.float32)
        self._scale = self._scale * self._growth_factor if torch.isfinite(grown) else self._scale
    else:
        left -= 1
    self._growth_tracker = self._growth_interval - left


DynamicLossScaler.update = update
