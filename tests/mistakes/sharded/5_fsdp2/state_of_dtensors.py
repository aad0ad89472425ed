"""the state holds DTensors."""


def full_state(model):
    return dict(model.state_dict())
