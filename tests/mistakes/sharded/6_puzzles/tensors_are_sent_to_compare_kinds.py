"""the whole tensor goes to all ranks, to compare its shape there."""


def odd_ranks(tensor):
    return _odd([(one.dtype, one.shape) for one in _from_all_ranks(tensor.detach())])
