"""the mean of the means of those ranks that counted something is taken for the mean over all samples."""


def mean_over_ranks(total, count):
    sums = torch.tensor([total / max(count, 1), float(count > 0)], dtype=torch.float64)
    dist.all_reduce(sums)
    if sums[1] == 0:
        raise ValueError("nothing was counted")
    return (sums[0] / sums[1]).item()
