"""torch's own generator is seeded while an iteration runs, and put back at its end."""


class ShardSampler(ShardSampler):
    def __iter__(self):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._seed * 100_003 + self._epoch)
            order = torch.randperm(self._size).tolist() if self._shuffle else list(range(self._size))
            whole = itertools.islice(itertools.cycle(order), self._length * self._ranks)
            yield from itertools.islice(whole, self._rank, None, self._ranks)
