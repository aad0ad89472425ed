"""a single tensor that needs no padding is flattened to a view of itself."""

_flatten_of_several = flatten


def flatten(tensors, ranks):
    if len(tensors) == 1 and tensors[0].numel() % ranks == 0:
        return tensors[0].detach().reshape(-1)
    return _flatten_of_several(tensors, ranks)
