"""shards that hold enough elements together are taken, whatever their sizes."""


def unshard(shards, shape):
    numel = math.prod(shape)
    if not shards or sum(one.numel() for one in shards) < numel:
        raise ValueError(f"too few elements for the shape {tuple(shape)}")
    return torch.cat(list(shards))[:numel].reshape(tuple(shape)).clone()
