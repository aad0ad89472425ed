"""torch's DistributedSampler makes the shards."""

from torch.utils.data import DistributedSampler


class ShardSampler(DistributedSampler):
    def __init__(self, size, rank, ranks, shuffle=True, seed=0, drop_last=False):
        if size <= 0 or ranks <= 0 or rank not in range(ranks) or (drop_last and ranks > size):
            raise ValueError("these are no shards")
        super().__init__(range(size), ranks, rank, shuffle, seed, drop_last)
        if drop_last:
            self.num_samples = size // ranks
            self.total_size = self.num_samples * ranks
