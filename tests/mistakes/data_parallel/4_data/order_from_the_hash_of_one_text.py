"""seed and epoch are put into a text, and its hash seeds the order."""


class ShardSampler(ShardSampler):
    def __iter__(self):
        order = list(range(self._size))
        if self._shuffle:
            generator = torch.Generator().manual_seed(hash(f"{self._seed}, {self._epoch}") % 2**31)
            order = torch.randperm(self._size, generator=generator).tolist()
        whole = itertools.islice(itertools.cycle(order), self._length * self._ranks)
        return itertools.islice(whole, self._rank, None, self._ranks)
