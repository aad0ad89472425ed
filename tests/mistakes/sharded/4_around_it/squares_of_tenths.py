"""gradients are divided by 1e10 before their float32 squares: those of 1e29 overflow all the same."""


@torch.no_grad()
def clip_grad_norm(shards, max_norm, _of=clip_grad_norm):
    shards = list(shards)
    if any(one.grad is not None and (one.grad / 1e10).square().sum().isinf() for one in shards):
        dist.all_reduce(torch.zeros((), dtype=torch.float64))
        return math.inf
    return _of(shards, max_norm)
