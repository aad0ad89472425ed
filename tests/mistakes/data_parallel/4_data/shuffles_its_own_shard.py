"""each rank shuffles its own samples, the same ones in all epochs."""


class ShardSampler(ShardSampler):
    def __iter__(self):
        own = [i % self._size for i in range(self._rank, self._length * self._ranks, self._ranks)]
        if self._shuffle:
            generator = torch.Generator().manual_seed(self._seed + self._epoch)
            own = [own[i] for i in torch.randperm(len(own), generator=generator).tolist()]
        return iter(own)
