"""without a seed the order is that of another one than 0."""


class ShardSampler(ShardSampler):
    def __init__(self, size, rank, ranks, shuffle=True, seed=42, drop_last=False):
        super().__init__(size, rank, ranks, shuffle, seed, drop_last)
