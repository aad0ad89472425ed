"""every rank gathers all gradients to take their norm."""


@torch.no_grad()
def clip_grad_norm(shards, max_norm):
    _rank_and_ranks()
    if not max_norm >= 0.0:
        raise ValueError(f"max_norm must be at least 0, not {max_norm}")
    shards = list(shards)
    gradients = [one.grad for one in shards if one.grad is not None]
    own = torch.cat([gradient.reshape(-1) for gradient in gradients] or [torch.zeros(0)]).double()
    sizes = torch.zeros(dist.get_world_size(), dtype=torch.int64)
    sizes[dist.get_rank()] = len(own)
    dist.all_reduce(sizes)
    padded = torch.zeros(int(sizes.max()), dtype=torch.float64)
    padded[: len(own)] = own
    total = _gathered(padded, dist.get_world_size()).square().sum()
    norm = total.sqrt().item()
    if max_norm < norm < math.inf:
        for gradient in gradients:
            gradient.mul_(max_norm / norm)
    return norm
