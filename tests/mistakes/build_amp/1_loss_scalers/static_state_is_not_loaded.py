"""the static scaler checks a state and keeps the scale that it was made with."""

_load = StaticLossScaler.load_state_dict


def load_state_dict(self, state):
    scale = self._scale
    _load(self, state)
    self._scale = scale if type(self) is StaticLossScaler else self._scale


StaticLossScaler.load_state_dict = load_state_dict
