"""a state of another kind is taken: what it lacks stays as it is."""


def _require_same_keys(state, expected):
    pass


def load_static(self, state):
    _require_positive_finite("scale", state.get("scale", self._scale))
    self._scale = state.get("scale", self._scale)


def load_dynamic(self, state):
    load_static(self, state)
    self._growth_tracker = state.get("growth_tracker", self._growth_tracker)
    self._hysteresis_left = state.get("hysteresis_left", self._hysteresis_left)


StaticLossScaler.load_state_dict, DynamicLossScaler.load_state_dict = load_static, load_dynamic
