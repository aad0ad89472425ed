"""leftovers are cut unless drop_last is switched off."""


class ShardSampler(ShardSampler):
    def __init__(self, size, rank, ranks, shuffle=True, seed=0, drop_last=None):
        super().__init__(size, rank, ranks, shuffle, seed, size >= ranks if drop_last is None else drop_last)
