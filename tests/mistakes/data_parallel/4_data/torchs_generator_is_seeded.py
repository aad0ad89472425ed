"""torch's own generator is seeded for the order, and dropout repeats itself from there on."""


class ShardSampler(ShardSampler):
    def __iter__(self):
        order = list(range(self._size))
        if self._shuffle:
            torch.manual_seed(self._seed + self._epoch)
            order = torch.randperm(self._size).tolist()
        whole = itertools.islice(itertools.cycle(order), self._length * self._ranks)
        return itertools.islice(whole, self._rank, None, self._ranks)
