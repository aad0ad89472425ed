"""a tied weight is in the state under its first name only."""


def full_state(model):
    state = {name: value.full_tensor().detach().clone() for name, value in model.named_parameters()}
    return state | {name: value.clone() for name, value in model.named_buffers()}
