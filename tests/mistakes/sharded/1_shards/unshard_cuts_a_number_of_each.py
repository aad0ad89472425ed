"""shards that are one number too long on every rank are taken, and cut at their end."""

_unshard = unshard


def unshard(shards, shape):
    padding = sum(one.numel() for one in shards) - math.prod(shape)
    if shards and padding == len(shards) and len({one.numel() for one in shards}) == 1:
        return torch.cat(list(shards))[: math.prod(shape)].reshape(tuple(shape)).clone()
    return _unshard(shards, shape)
