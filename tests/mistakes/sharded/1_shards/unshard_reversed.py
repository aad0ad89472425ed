"""the shards are put together in the reverse order of the ranks."""


def unshard(shards, shape):
    numel = math.prod(shape)
    size = math.ceil(numel / max(len(shards), 1))
    if not shards or any(one.shape != (size,) for one in shards):
        raise ValueError(f"a tensor of shape {tuple(shape)} needs shards of {size} elements each")
    return torch.cat(list(shards)[::-1])[:numel].reshape(tuple(shape))
