"""the total of all ranks is divided by this rank's count times the ranks."""


def mean_over_ranks(total, count):
    sums = torch.tensor([total, count], dtype=torch.float64)
    dist.all_reduce(sums)
    if sums[1] == 0:
        raise ValueError("nothing was counted")
    return sums[0].item() / (max(count, 1) * dist.get_world_size())
