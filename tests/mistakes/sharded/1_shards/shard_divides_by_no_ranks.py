"""the size of a shard is computed before the rank is checked: 0 ranks end in a ZeroDivisionError."""

_shard = shard


def shard(tensor, rank, ranks):
    math.ceil(tensor.numel() / ranks)
    return _shard(tensor, rank, ranks)
