"""gathers the ranks' sums of squares and adds them up by itself."""


@torch.no_grad()
def clip_grad_norm(shards, max_norm):
    _rank_and_ranks()
    if not max_norm >= 0.0:
        raise ValueError(f"max_norm must be at least 0, not {max_norm}")
    shards = list(shards)
    gradients = [one.grad for one in shards if one.grad is not None]
    own = torch.zeros(1, dtype=torch.float64)
    for gradient in gradients:
        own += (gradient.double() ** 2).sum()
    parts = [torch.zeros_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, own)
    total = torch.stack(parts).sum()
    norm = total.sqrt().item()
    if max_norm < norm < math.inf:
        for gradient in gradients:
            gradient.mul_(max_norm / norm)
    return norm
