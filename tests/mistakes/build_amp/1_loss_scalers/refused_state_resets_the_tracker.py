"""a state that is refused sets the growth tracker to 0 first."""

_load = DynamicLossScaler.load_state_dict


def load_dynamic(self, state):
    self._growth_tracker = 0
    _load(self, state)


DynamicLossScaler.load_state_dict = load_dynamic
