"""a state of another kind is a KeyError, not a ValueError."""


def _check_state(state, expected):
    for name in expected:
        state[name]
    if len(state) != len(expected):
        raise ValueError("too much")
