"""each rank takes a run of neighbours, not every ranks-th."""


class ShardSampler(ShardSampler):
    def __iter__(self):
        order = self._whole()
        return iter(order[self._rank * self._length : (self._rank + 1) * self._length])

    def _whole(self):
        order = list(range(self._size))
        if self._shuffle:
            generator = torch.Generator().manual_seed(self._seed + self._epoch)
            order = torch.randperm(self._size, generator=generator).tolist()
        return list(itertools.islice(itertools.cycle(order), self._length * self._ranks))
