"""the scale is loaded before the rest of the state turns out to be missing."""

_load = DynamicLossScaler.load_state_dict


def load_dynamic(self, state):
    if 0.0 < state.get("scale", 0.0) < math.inf:
        self._scale = state["scale"]
    _load(self, state)


DynamicLossScaler.load_state_dict = load_dynamic
