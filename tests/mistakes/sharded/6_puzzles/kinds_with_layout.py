"""the order in memory counts too, so that a transposed tensor is odd."""


def odd_ranks(tensor):
    return _odd(_from_all_ranks((str(tensor.dtype), tuple(tensor.shape), tensor.stride())))
