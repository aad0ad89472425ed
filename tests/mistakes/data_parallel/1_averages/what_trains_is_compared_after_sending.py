"""which parameters train is compared once the numbers of the others have been overwritten."""

_broadcast_model = broadcast_model


def broadcast_model(model, source=0):
    trained = [one.requires_grad for one in model.parameters()]
    for one in model.parameters():
        one.requires_grad_(False)
    try:
        _broadcast_model(model, source)
    finally:
        for one, before in zip(model.parameters(), trained, strict=True):
            one.requires_grad_(before)
    _broadcast_model(model, source)
