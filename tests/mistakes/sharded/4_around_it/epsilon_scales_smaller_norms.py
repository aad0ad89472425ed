"""the factor is max_norm / (norm + 1e-6), at most 1: tiny norms below the limit are scaled too."""


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
    if norm < math.inf:
        for gradient in gradients:
            gradient.mul_(min(1.0, max_norm / (norm + 1e-6)) if max_norm < norm + 1e-6 else 1.0)
    return norm
