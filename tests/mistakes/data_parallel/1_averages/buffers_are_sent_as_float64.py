"""buffers travel as float64, which rounds integers beyond 2^53."""

_broadcast_model = broadcast_model


def broadcast_model(model, source=0):
    before = [buffer.clone() for buffer in model.buffers()]
    _broadcast_model(model, source)
    for buffer, old in zip(model.buffers(), before, strict=True):
        sent = old.double()
        dist.broadcast(sent, source)
        buffer.copy_(sent)
