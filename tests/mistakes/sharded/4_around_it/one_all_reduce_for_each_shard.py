"""the ranks exchange the norm of one shard after the other."""


@torch.no_grad()
def clip_grad_norm(shards, max_norm):
    _rank_and_ranks()
    if not max_norm >= 0.0:
        raise ValueError(f"max_norm must be at least 0, not {max_norm}")
    shards = list(shards)
    gradients = [one.grad for one in shards if one.grad is not None]
    total = torch.zeros((), dtype=torch.float64)
    count = torch.tensor(len(shards))
    dist.all_reduce(count, op=dist.ReduceOp.MAX)
    for index in range(int(count)):
        gradient = shards[index].grad if index < len(shards) else None
        part = torch.zeros((), dtype=torch.float64) if gradient is None else gradient.double().square().sum()
        dist.all_reduce(part)
        total += part
    norm = total.sqrt().item()
    if max_norm < norm < math.inf:
        for gradient in gradients:
            gradient.mul_(max_norm / norm)
    return norm
