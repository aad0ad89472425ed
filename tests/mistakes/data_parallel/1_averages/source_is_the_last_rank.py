"""by default the last rank is the source."""

_from = broadcast_model


def broadcast_model(model, source=None):
    _from(model, dist.get_world_size() - 1 if source is None else source)
