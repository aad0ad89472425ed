"""1e-12 is added to the sum of squares, so that tiny gradients have too large a norm."""


@torch.no_grad()
def clip_grad_norm(shards, max_norm):
    _rank_and_ranks()
    if not max_norm >= 0.0:
        raise ValueError(f"max_norm must be at least 0, not {max_norm}")
    gradients = [one.grad for one in shards if one.grad is not None]
    total = torch.zeros((), dtype=torch.float64)
    for gradient in gradients:
        total += gradient.double().square().sum()
    dist.all_reduce(total)
    norm = (total + 1e-12 * (total > 0)).sqrt().item()
    if max_norm < norm < math.inf:
        for gradient in gradients:
            gradient.mul_(max_norm / norm)
    return norm
