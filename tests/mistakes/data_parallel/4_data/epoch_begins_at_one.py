"""without set_epoch the order is that of epoch 1."""


class ShardSampler(ShardSampler):
    def __init__(self, size, rank, ranks, shuffle=True, seed=0, drop_last=False):
        super().__init__(size, rank, ranks, shuffle, seed, drop_last)
        self._epoch = 1
