"""the squares are taken in float32, where those of large gradients are inf."""


@torch.no_grad()
def clip_grad_norm(shards, max_norm):
    _rank_and_ranks()
    if not max_norm >= 0.0:
        raise ValueError(f"max_norm must be at least 0, not {max_norm}")
    shards = list(shards)
    gradients = [one.grad for one in shards if one.grad is not None]
    total = torch.zeros(())
    for gradient in gradients:
        total += gradient.square().sum()
    dist.all_reduce(total)
    norm = total.sqrt().item()
    if max_norm < norm < math.inf:
        for gradient in gradients:
            gradient.mul_(max_norm / norm)
    return norm
