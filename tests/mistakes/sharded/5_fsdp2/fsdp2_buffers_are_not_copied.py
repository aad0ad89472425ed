"""the buffers in the state are the model's own."""


def full_state(model):
    return {
        name: value.full_tensor().detach().clone() if isinstance(value, DTensor) else value
        for name, value in model.state_dict().items()
    }
