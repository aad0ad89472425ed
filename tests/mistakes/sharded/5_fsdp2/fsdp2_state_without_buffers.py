"""the state has the parameters only."""


def full_state(model):
    return {
        name: value.full_tensor().detach().clone()
        for name, value in model.state_dict().items()
        if isinstance(value, DTensor)
    }
