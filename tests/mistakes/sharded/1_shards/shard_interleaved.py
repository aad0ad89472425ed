"""rank r holds every ranks-th element instead of a run of neighbours."""


def shard(tensor, rank, ranks):
    if not 0 <= rank < ranks:
        raise ValueError(f"rank must be from 0 to {ranks - 1}, not {rank}")
    size = math.ceil(tensor.numel() / ranks)
    part = tensor.detach().reshape(-1)[rank::ranks]
    padded = part.new_zeros(size)
    padded[: len(part)] = part
    return padded
