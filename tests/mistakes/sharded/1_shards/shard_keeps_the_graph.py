"""the shard is a step of the tensor's graph, and requires a gradient."""


def shard(tensor, rank, ranks):
    if not 0 <= rank < ranks:
        raise ValueError(f"rank must be from 0 to {ranks - 1}, not {rank}")
    size = math.ceil(tensor.numel() / ranks)
    part = tensor.reshape(-1)[rank * size : (rank + 1) * size]
    padded = part.new_zeros(size)
    padded[: len(part)] = part
    return padded
