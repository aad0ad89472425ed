"""the scale is not restored: a resumed run begins with the first one."""

_load = DynamicLossScaler.load_state_dict


def load_state_dict(self, state):
    scale = self._scale
    _load(self, state)
    self._scale = scale


DynamicLossScaler.load_state_dict = load_state_dict
