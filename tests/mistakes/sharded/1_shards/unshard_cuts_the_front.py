"""the padding is cut off at the front instead of at the end."""


def unshard(shards, shape):
    numel = math.prod(shape)
    size = math.ceil(numel / max(len(shards), 1))
    if not shards or any(one.shape != (size,) for one in shards):
        raise ValueError(f"a tensor of shape {tuple(shape)} needs shards of {size} elements each")
    return (
        torch.cat(list(shards))[-numel:].reshape(tuple(shape))
        if numel
        else torch.cat(list(shards)).reshape(tuple(shape))
    )
