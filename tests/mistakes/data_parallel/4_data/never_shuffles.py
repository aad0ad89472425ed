"""the order is 0, 1, 2, ... in every epoch."""


class ShardSampler(ShardSampler):
    def __init__(self, size, rank, ranks, shuffle=True, seed=0, drop_last=False):
        super().__init__(size, rank, ranks, False, seed, drop_last)
