"""the scale of a state is not looked at: 0, inf and nan are taken."""


def load_static(self, state):
    _require_same_keys(state, self.state_dict())
    self._scale = state["scale"]


def load_dynamic(self, state):
    load_static(self, state)
    self._growth_tracker = state["growth_tracker"]
    self._hysteresis_left = state["hysteresis_left"]


StaticLossScaler.load_state_dict, DynamicLossScaler.load_state_dict = load_static, load_dynamic
