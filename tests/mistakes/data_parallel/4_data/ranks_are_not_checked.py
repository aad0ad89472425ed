"""a rank that is none of the ranks gets a sampler."""


class ShardSampler(ShardSampler):
    def __init__(self, size, rank, ranks, shuffle=True, seed=0, drop_last=False):
        super().__init__(size, rank % ranks if ranks > 0 else 0, ranks, shuffle, seed, drop_last)
