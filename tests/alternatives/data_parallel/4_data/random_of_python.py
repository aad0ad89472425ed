"""Python's random.Random shuffles, seeded with both numbers as a text."""

import random


class ShardSampler:
    def __init__(self, size, rank, ranks, shuffle=True, seed=0, drop_last=False):
        if min(size, ranks) < 1 or not -1 < rank < ranks or (drop_last and size < ranks):
            raise ValueError("these are no shards")
        self.size, self.rank, self.ranks, self.shuffle, self.seed = size, rank, ranks, shuffle, seed
        self.length = size // ranks if drop_last else (size + ranks - 1) // ranks
        self.epoch = 0

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __len__(self):
        return self.length

    def __iter__(self):
        order = [*range(self.size)]
        if self.shuffle:
            random.Random(f"{self.seed}/{self.epoch}").shuffle(order)
        for place in range(self.rank, self.length * self.ranks, self.ranks):
            yield order[place % self.size]
