"""1e-6 is added to the norm that divides, so that tiny gradients end far below the limit."""


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
    norm = total.sqrt().item()
    if max_norm < norm < math.inf:
        for gradient in gradients:
            gradient.mul_(max_norm / (norm + 1e-6))
    return norm
