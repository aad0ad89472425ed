"""drop_last leaves out the first samples of the order, not the last."""


class ShardSampler(ShardSampler):
    def __iter__(self):
        order = list(range(self._size))
        if self._shuffle:
            generator = torch.Generator().manual_seed(self._seed + self._epoch)
            order = torch.randperm(self._size, generator=generator).tolist()
        whole = self._length * self._ranks
        order = order[-whole:] if whole <= self._size else [*itertools.islice(itertools.cycle(order), whole)]
        return iter(order[self._rank :: self._ranks])
