"""the order is continued once: with many more ranks than samples some ranks get nothing."""


class ShardSampler(ShardSampler):
    def __iter__(self):
        order = list(range(self._size))
        if self._shuffle:
            generator = torch.Generator().manual_seed(self._seed + self._epoch)
            order = torch.randperm(self._size, generator=generator).tolist()
        order += order[: self._length * self._ranks - self._size]
        return iter(order[self._rank : self._length * self._ranks : self._ranks])
