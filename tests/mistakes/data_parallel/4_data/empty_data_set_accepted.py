"""a data set without samples gives samplers without indices."""


class ShardSampler(ShardSampler):
    def __init__(self, size, rank, ranks, shuffle=True, seed=0, drop_last=False):
        if size > 0:
            super().__init__(size, rank, ranks, shuffle, seed, drop_last)
        else:
            self._length = 0
