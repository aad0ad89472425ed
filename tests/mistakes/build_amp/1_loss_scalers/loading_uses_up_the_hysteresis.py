"""loading a state leaves nothing of the hysteresis."""

_load = DynamicLossScaler.load_state_dict


def load_state_dict(self, state):
    _load(self, state)
    self._hysteresis_left = 0


DynamicLossScaler.load_state_dict = load_state_dict
