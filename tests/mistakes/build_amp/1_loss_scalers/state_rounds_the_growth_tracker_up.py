"""loading starts the count of good iterations as if one more had been good."""

_load = DynamicLossScaler.load_state_dict


def load_state_dict(self, state):
    _load(self, state)
    self._growth_tracker += 1


DynamicLossScaler.load_state_dict = load_state_dict
