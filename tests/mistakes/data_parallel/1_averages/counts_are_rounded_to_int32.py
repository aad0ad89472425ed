"""counts are sent as 32-bit integers."""


def mean_over_ranks(total, count):
    sums = torch.tensor([total], dtype=torch.float64)
    counts = torch.tensor([count % 2**31], dtype=torch.int32)
    dist.all_reduce(sums)
    dist.all_reduce(counts)
    if counts[0] == 0:
        raise ValueError("nothing was counted")
    return sums.item() / counts.item()
