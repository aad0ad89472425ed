"""shards of different sizes are taken if they have as many elements together as equal ones."""


def unshard(shards, shape):
    numel = math.prod(shape)
    if not shards or sum(one.numel() for one in shards) != math.ceil(numel / len(shards)) * len(shards):
        raise ValueError(f"these shards are not those of a tensor of shape {tuple(shape)}")
    return torch.cat(list(shards))[:numel].reshape(tuple(shape))
