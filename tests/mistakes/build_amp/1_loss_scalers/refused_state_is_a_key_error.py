"""a state of another kind is a KeyError, not a ValueError."""


def _require_same_keys(state, expected):
    for name in expected:
        state[name]
    if len(state) != len(expected):
        raise ValueError("too much")
