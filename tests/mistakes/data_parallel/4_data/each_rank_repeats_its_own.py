"""a rank that lacks a sample repeats its own first one."""


class ShardSampler(ShardSampler):
    def __iter__(self):
        order = list(range(self._size))
        if self._shuffle:
            generator = torch.Generator().manual_seed(self._seed + self._epoch)
            order = torch.randperm(self._size, generator=generator).tolist()
        own = order[self._rank :: self._ranks] or order
        return itertools.islice(itertools.cycle(own), self._length)
