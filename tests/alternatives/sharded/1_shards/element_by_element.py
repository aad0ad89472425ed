"""copies index by index."""


def shard(tensor, rank, ranks):
    if rank < 0 or rank >= ranks:
        raise ValueError("no such rank")
    size = (tensor.numel() + ranks - 1) // ranks
    values = tensor.detach().reshape(-1)
    made = torch.zeros(size, dtype=tensor.dtype, device=tensor.device)
    for index in range(size):
        if rank * size + index < len(values):
            made[index] = values[rank * size + index]
    return made
