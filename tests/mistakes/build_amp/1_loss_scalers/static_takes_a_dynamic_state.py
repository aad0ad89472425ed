"""the static scaler takes the scale out of a dynamic one's state."""


def load_static(self, state):
    if "scale" not in state:
        raise ValueError("no scale")
    if isinstance(self, DynamicLossScaler):
        _require_same_keys(state, self.state_dict())
    _require_positive_finite("scale", state["scale"])
    self._scale = state["scale"]


StaticLossScaler.load_state_dict = load_static
