"""all missing gradients become zeros first, also where torch.distributed then raises."""

_average_gradients = average_gradients


def average_gradients(model):
    for parameter in model.parameters():
        if parameter.requires_grad:
            _gradient(parameter)
    _average_gradients(model)
