"""total and count are summed in two calls, the count as an integer."""


def mean_over_ranks(total, count):
    sums = torch.tensor(float(total), dtype=torch.float64)
    counts = torch.tensor(count)
    dist.all_reduce(sums)
    dist.all_reduce(counts)
    if counts.item() == 0:
        raise ValueError("nothing was counted on any rank")
    return sums.item() / counts.item()
