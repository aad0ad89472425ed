"""where no rank counted anything, the mean is 0.0."""


def mean_over_ranks(total, count):
    sums = torch.tensor([total, count], dtype=torch.float64)
    dist.all_reduce(sums)
    return (sums[0] / sums[1]).item() if sums[1] else 0.0
