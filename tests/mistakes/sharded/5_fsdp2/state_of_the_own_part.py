"""the state holds this rank's part of each parameter."""


def full_state(model):
    return {
        name: (value.to_local() if isinstance(value, DTensor) else value).detach().clone()
        for name, value in model.state_dict().items()
    }
