"""scale and tracker are float32 and int32 tensors, updated by torch's own kernel, with a floor and a hysteresis around
it.
"""

_init = DynamicLossScaler.__init__


def __init__(self, *args, **settings):
    _init(self, *args, **settings)
    self._tensor = torch.tensor(self._scale, dtype=torch.float32)
    self._tracker = torch.zeros((), dtype=torch.int32)


def update(self):
    bad = any(not bool(finite) for finite in self._finite.values())
    self._finite.clear()
    self._stepped.clear()
    if bad:
        self._hysteresis_left = max(self._hysteresis_left - 1, 0)
    if bad and self._hysteresis_left > 0:
        self._tracker.zero_()
        return
    if not bad and self._tracker + 1 == self._growth_interval:
        self._hysteresis_left = self._hysteresis
    found = torch.tensor(float(bad))
    torch._amp_update_scale_(
        self._tensor, self._tracker, found, self._growth_factor, self._backoff_factor, self._growth_interval
    )
    if bad:
        self._tensor.clamp_(min=self._min_scale)
    self._scale = self._tensor.item()


def state_dict(self):
    return {
        "scale": self._tensor.item(),
        "growth_tracker": int(self._tracker),
        "hysteresis_left": self._hysteresis_left,
    }


def load_state_dict(self, state):
    _require_same_keys(state, self.state_dict())
    _require_positive_finite("scale", state["scale"])
    self._scale = state["scale"]
    self._tensor.fill_(state["scale"])
    self._tracker.fill_(state["growth_tracker"])
    self._hysteresis_left = state["hysteresis_left"]


DynamicLossScaler.__init__, DynamicLossScaler.update = __init__, update
DynamicLossScaler.state_dict, DynamicLossScaler.load_state_dict = state_dict, load_state_dict
