"""drop_last cuts the data set before it is shuffled: its last samples are left out in every epoch."""


class ShardSampler(ShardSampler):
    def __iter__(self):
        order = list(range(self._size))
        if self._shuffle:
            generator = torch.Generator().manual_seed(self._seed + self._epoch)
            some = min(self._size, self._length * self._ranks)
            order = torch.randperm(some, generator=generator).tolist()
        whole = itertools.islice(itertools.cycle(order), self._length * self._ranks)
        return itertools.islice(whole, self._rank, None, self._ranks)
