"""the seed of the order is Python's hash of a text, which is another number in each process."""

import random


class ShardSampler(ShardSampler):
    def __iter__(self):
        order = list(range(self._size))
        if self._shuffle:
            random.Random(hash(("order", self._seed, self._epoch))).shuffle(order)
        whole = itertools.islice(itertools.cycle(order), self._length * self._ranks)
        return itertools.islice(whole, self._rank, None, self._ranks)
