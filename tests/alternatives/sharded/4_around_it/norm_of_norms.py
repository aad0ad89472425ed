"""squares the norm of the shards' norms, in float64."""


@torch.no_grad()
def clip_grad_norm(shards, max_norm):
    _rank_and_ranks()
    if not max_norm >= 0.0:
        raise ValueError(f"max_norm must be at least 0, not {max_norm}")
    shards = list(shards)
    gradients = [one.grad for one in shards if one.grad is not None]
    norms = [torch.linalg.vector_norm(one, dtype=torch.float64) for one in gradients]
    total = (torch.stack(norms).norm() if norms else torch.zeros((), dtype=torch.float64)) ** 2
    dist.all_reduce(total)
    norm = total.sqrt().item()
    if max_norm < norm < math.inf:
        for gradient in gradients:
            gradient.mul_(min(1.0, max_norm / norm))
    return norm
