"""the scale of a state is rounded to a power of two."""

_load = StaticLossScaler.load_state_dict


def load_state_dict(self, state):
    _load(self, state)
    self._scale = 2.0 ** round(math.log2(self._scale))


StaticLossScaler.load_state_dict = load_state_dict
