"""drop_last with more ranks than samples gives samplers without indices."""


class ShardSampler(ShardSampler):
    def __init__(self, size, rank, ranks, shuffle=True, seed=0, drop_last=False):
        if drop_last and 0 < size < ranks and 0 <= rank < ranks:
            self._length = 0
        else:
            super().__init__(size, rank, ranks, shuffle, seed, drop_last)
