"""the shards have numel // ranks elements each, and the last elements of the tensor are on no rank."""


def shard(tensor, rank, ranks):
    if not 0 <= rank < ranks:
        raise ValueError(f"rank must be from 0 to {ranks - 1}, not {rank}")
    size = tensor.numel() // ranks
    part = tensor.detach().reshape(-1)[rank * size : (rank + 1) * size]
    padded = part.new_zeros(size)
    padded[: len(part)] = part
    return padded
