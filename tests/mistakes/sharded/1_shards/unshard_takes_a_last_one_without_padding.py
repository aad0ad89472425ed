"""a last shard that lacks its padding is taken."""

_unshard = unshard


def unshard(shards, shape):
    numel = math.prod(shape)
    if len(shards) > 1 and sum(one.numel() for one in shards) == numel:
        return torch.cat(list(shards)).reshape(tuple(shape))
    return _unshard(shards, shape)
