"""torch.tensor_split spreads the elements evenly, and the shards that are one shorter are padded."""


def shard(tensor, rank, ranks):
    if not 0 <= rank < ranks:
        raise ValueError(f"rank must be from 0 to {ranks - 1}, not {rank}")
    size = math.ceil(tensor.numel() / ranks)
    part = torch.tensor_split(tensor.detach().reshape(-1), ranks)[rank]
    padded = part.new_zeros(size)
    padded[: len(part)] = part
    return padded
