"""the zeros come before the tensor's elements."""


def shard(tensor, rank, ranks):
    if not 0 <= rank < ranks:
        raise ValueError(f"rank must be from 0 to {ranks - 1}, not {rank}")
    size = math.ceil(tensor.numel() / ranks)
    flat = tensor.detach().reshape(-1)
    whole = torch.cat([flat.new_zeros(size * ranks - len(flat)), flat])
    return whole[rank * size : (rank + 1) * size].clone()
