"""the rank may be as large as the number of ranks."""


class ShardSampler(ShardSampler):
    def __init__(self, size, rank, ranks, shuffle=True, seed=0, drop_last=False):
        super().__init__(size, rank - 1 if rank == ranks and ranks > 0 else rank, ranks, shuffle, seed, drop_last)
