"""buffers that are not saved are in the state too."""

_full_state = full_state


def full_state(model):
    return _full_state(model) | {name: buffer.clone() for name, buffer in model.named_buffers()}
