"""the order is shuffled even where shuffle is False."""


class ShardSampler(ShardSampler):
    def __init__(self, size, rank, ranks, shuffle=True, seed=0, drop_last=False):
        super().__init__(size, rank, ranks, True, seed, drop_last)
