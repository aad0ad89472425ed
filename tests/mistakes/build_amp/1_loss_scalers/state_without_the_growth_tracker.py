"""the growth tracker is not saved: a resumed run begins to count at 0."""

_state, _load = DynamicLossScaler.state_dict, DynamicLossScaler.load_state_dict


def state_dict(self):
    return _state(self) | {"growth_tracker": 0}


DynamicLossScaler.state_dict = state_dict
