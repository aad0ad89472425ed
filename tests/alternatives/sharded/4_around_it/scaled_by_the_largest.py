"""divides by the largest entry of all ranks before it squares in float32."""


@torch.no_grad()
def clip_grad_norm(shards, max_norm):
    _rank_and_ranks()
    if not max_norm >= 0.0:
        raise ValueError(f"max_norm must be at least 0, not {max_norm}")
    shards = list(shards)
    gradients = [one.grad for one in shards if one.grad is not None]
    largest = torch.tensor(
        max([float(one.abs().max()) for one in gradients if one.isfinite().all()], default=0.0), dtype=torch.float64
    )
    bad = torch.tensor(float(any(not one.isfinite().all() for one in gradients)), dtype=torch.float64)
    dist.all_reduce(largest, op=dist.ReduceOp.MAX)
    dist.all_reduce(bad)
    unit = float(largest) or 1.0
    total = torch.tensor(sum(float((one / unit).square().sum()) for one in gradients), dtype=torch.float64)
    dist.all_reduce(total)
    norm = math.nan if bad else total.sqrt().item() * unit
    if max_norm < norm < math.inf:
        for gradient in gradients:
            gradient.mul_(max_norm / norm)
    return norm
