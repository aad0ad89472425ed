"""the elements are put into a float32 vector of zeros and cast back: large integers are rounded."""

_shard = shard


def shard(tensor, rank, ranks):
    exact = tensor.is_floating_point() or tensor.is_complex()
    return _shard(tensor if exact else tensor.float(), rank, ranks).to(tensor.dtype)
