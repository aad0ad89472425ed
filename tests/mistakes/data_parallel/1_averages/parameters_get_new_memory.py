"""received values replace the parameters' memory, instead of being written into it."""

_in_place = broadcast_model


def broadcast_model(model, source=0):
    _in_place(model, source)
    for tensor in [*model.parameters(), *model.buffers()]:
        tensor.data = tensor.data.clone()
