"""the tensor is cut along its first dimension, and its flattened rows are padded."""


def shard(tensor, rank, ranks):
    if not 0 <= rank < ranks:
        raise ValueError(f"rank must be from 0 to {ranks - 1}, not {rank}")
    rows = tensor.detach().reshape(-1) if tensor.dim() < 2 else tensor.detach()
    size = math.ceil(len(rows) / ranks)
    part = rows[rank * size : (rank + 1) * size].reshape(-1)
    padded = part.new_zeros(size * math.prod(rows.shape[1:]))
    padded[: len(part)] = part
    return padded
