"""torch's own generator gives the order, another one on each rank."""


class ShardSampler(ShardSampler):
    def __iter__(self):
        order = torch.randperm(self._size).tolist() if self._shuffle else list(range(self._size))
        whole = itertools.islice(itertools.cycle(order), self._length * self._ranks)
        return itertools.islice(whole, self._rank, None, self._ranks)
