"""the shard is made on the default device, wherever the tensor is."""


def shard(tensor, rank, ranks):
    if not 0 <= rank < ranks:
        raise ValueError(f"rank must be from 0 to {ranks - 1}, not {rank}")
    size = math.ceil(tensor.numel() / ranks)
    part = tensor.detach().reshape(-1)[rank * size : (rank + 1) * size]
    padded = torch.zeros(size, dtype=tensor.dtype)
    padded[: len(part)] = part
    return padded
