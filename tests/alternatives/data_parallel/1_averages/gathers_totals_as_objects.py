"""totals and counts are gathered as Python numbers."""


def mean_over_ranks(total, count):
    pairs = [None] * dist.get_world_size()
    dist.all_gather_object(pairs, (total, count))
    samples = sum(one for _, one in pairs)
    if not samples:
        raise ValueError("nothing was counted on any rank")
    return sum(one for one, _ in pairs) / samples
