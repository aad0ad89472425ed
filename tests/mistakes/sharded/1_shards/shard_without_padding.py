"""the last ranks' shards are shorter than the others."""


def shard(tensor, rank, ranks):
    if not 0 <= rank < ranks:
        raise ValueError(f"rank must be from 0 to {ranks - 1}, not {rank}")
    size = math.ceil(tensor.numel() / ranks)
    return tensor.detach().reshape(-1)[rank * size : (rank + 1) * size].clone()
