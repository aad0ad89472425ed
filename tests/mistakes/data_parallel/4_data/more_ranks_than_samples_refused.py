"""more ranks than samples are refused, also where samples may be repeated."""


class ShardSampler(ShardSampler):
    def __init__(self, size, rank, ranks, shuffle=True, seed=0, drop_last=False):
        super().__init__(size, rank, ranks, shuffle, seed, drop_last)
        if size < ranks:
            raise ValueError("there are more ranks than samples")
