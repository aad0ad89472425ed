"""the state is the scaler's own dict, and changes when the scaler does."""

_STATES = {}


def _live(self):
    state = _STATES.setdefault(self, {})
    state.update(_state(self))
    return state


_state, _update = DynamicLossScaler.state_dict, DynamicLossScaler.update


def update(self):
    _update(self)
    _live(self)


DynamicLossScaler.state_dict, DynamicLossScaler.update = _live, update
