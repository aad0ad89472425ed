"""every rank keeps the parameters and buffers that it has."""


def broadcast_model(model, source=0):
    dist.get_world_size()
