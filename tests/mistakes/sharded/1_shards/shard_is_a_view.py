"""the shard is a slice of the tensor, so that the whole tensor stays in memory."""


def shard(tensor, rank, ranks):
    if not 0 <= rank < ranks:
        raise ValueError(f"rank must be from 0 to {ranks - 1}, not {rank}")
    size = math.ceil(tensor.numel() / ranks)
    flat = tensor.detach().reshape(-1)
    if size * ranks > len(flat):
        flat = torch.cat([flat, flat.new_zeros(size * ranks - len(flat))])
    return flat[rank * size : (rank + 1) * size]
