"""rank 0 alone has the whole state; the others have an empty one."""


def full_state(model):
    state = {
        name: (value.full_tensor() if isinstance(value, DTensor) else value).detach().clone()
        for name, value in model.state_dict().items()
    }
    return state if dist.get_rank() == 0 else {}
