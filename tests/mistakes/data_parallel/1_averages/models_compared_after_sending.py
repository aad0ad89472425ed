"""the models are compared once they are sent: what could be sent has changed."""

_compared = broadcast_model


def broadcast_model(model, source=0):
    dist.broadcast(next(model.parameters()).detach().reshape(-1)[:2], source)
    _compared(model, source)
