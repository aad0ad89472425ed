"""gradients are divided by 1e10 before their float32 squares are added up: those of 1e29 overflow all the same."""


@torch.no_grad()
def clip_grad_norm(shards, max_norm):
    gradients = [one.grad for one in shards if one.grad is not None]
    if not max_norm >= 0.0:
        raise ValueError(f"max_norm must be at least 0, not {max_norm}")
    _rank_and_ranks()
    total = torch.zeros(())
    for gradient in gradients:
        total += (gradient / 1e10).square().sum()
    dist.all_reduce(total)
    norm = total.double().sqrt().item() * 1e10
    if max_norm < norm < math.inf:
        for gradient in gradients:
            gradient.mul_(max_norm / norm)
    return norm
