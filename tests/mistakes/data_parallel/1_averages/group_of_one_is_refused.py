"""a group of one rank is an error."""

_of_several = average_gradients


def average_gradients(model):
    if dist.get_world_size() < 2:
        raise RuntimeError("start at least two ranks")
    _of_several(model)
