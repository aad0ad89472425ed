"""what is left of the hysteresis is not saved: a resumed run begins with all of it."""

_state = DynamicLossScaler.state_dict


def state_dict(self):
    return _state(self) | {"hysteresis_left": self._hysteresis}


DynamicLossScaler.state_dict = state_dict
