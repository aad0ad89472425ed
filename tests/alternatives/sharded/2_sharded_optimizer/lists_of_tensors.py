"""uses the collectives that take lists, and ReduceOp.AVG."""


def _gathered(part, ranks):
    parts = [torch.empty_like(part) for _ in range(ranks)]
    dist.all_gather(parts, part.detach().contiguous())
    return torch.cat(parts)


def _mean_of_shard(whole, ranks):
    part = whole.new_empty(len(whole) // ranks)
    dist.reduce_scatter(part, list(whole.chunk(ranks)), op=dist.ReduceOp.AVG)
    return part
