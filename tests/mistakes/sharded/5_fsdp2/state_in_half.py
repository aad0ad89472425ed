"""the state is rounded to bfloat16."""


def full_state(model):
    state = {
        name: (value.full_tensor() if isinstance(value, DTensor) else value).detach().clone()
        for name, value in model.state_dict().items()
    }
    return {name: value.bfloat16().float() if value.is_floating_point() else value for name, value in state.items()}
