"""the dynamic scaler takes a static one's state and goes on with its own tracker."""

_load = DynamicLossScaler.load_state_dict


def load_dynamic(self, state):
    _load(self, self.state_dict() | dict(state) if set(state) == {"scale"} else state)


DynamicLossScaler.load_state_dict = load_dynamic
