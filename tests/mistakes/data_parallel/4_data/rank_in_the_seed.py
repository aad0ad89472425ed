"""each rank shuffles with a seed of its own: samples are repeated and left out."""


class ShardSampler(ShardSampler):
    def __init__(self, size, rank, ranks, shuffle=True, seed=0, drop_last=False):
        super().__init__(size, rank, ranks, shuffle, seed + rank, drop_last)
