"""the padding is whatever was in the memory."""


def shard(tensor, rank, ranks):
    if not 0 <= rank < ranks:
        raise ValueError(f"rank must be from 0 to {ranks - 1}, not {rank}")
    size = math.ceil(tensor.numel() / ranks)
    part = tensor.detach().reshape(-1)[rank * size : (rank + 1) * size]
    padded = part.new_zeros(size)
    padded.fill_(7)
    padded[: len(part)] = part
    return padded
