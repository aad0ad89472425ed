"""one rank alone gets the flattened tensor itself as its shard, which shares the tensor's memory."""

_shard_of_several = shard


def shard(tensor, rank, ranks):
    if ranks == 1 and rank == 0:
        return tensor.detach().reshape(-1)
    return _shard_of_several(tensor, rank, ranks)
