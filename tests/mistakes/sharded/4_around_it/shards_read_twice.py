"""an iterator of shards is read for the norm, and is empty when the gradients are to be scaled."""


@torch.no_grad()
def clip_grad_norm(shards, max_norm):
    _rank_and_ranks()
    if not max_norm >= 0.0:
        raise ValueError(f"max_norm must be at least 0, not {max_norm}")
    shards = iter(shards)
    total = torch.zeros((), dtype=torch.float64)
    for gradient in (one.grad for one in shards if one.grad is not None):
        total += gradient.double().square().sum()
    dist.all_reduce(total)
    norm = total.sqrt().item()
    if max_norm < norm < math.inf:
        for gradient in (one.grad for one in shards if one.grad is not None):
            gradient.mul_(max_norm / norm)
    return norm
