"""the padding repeats the last element instead of being zero."""


def shard(tensor, rank, ranks):
    if not 0 <= rank < ranks:
        raise ValueError(f"rank must be from 0 to {ranks - 1}, not {rank}")
    size = math.ceil(tensor.numel() / ranks)
    part = tensor.detach().reshape(-1)[rank * size : (rank + 1) * size]
    padded = part.new_zeros(size)
    padded[: len(part)] = part
    padded[len(part) :] = part[-1] if len(part) else 0
    return padded
