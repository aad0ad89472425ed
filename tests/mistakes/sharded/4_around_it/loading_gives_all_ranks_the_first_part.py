"""every rank loads the part of rank 0."""


class _Flat(_Flat):
    def take(self, values):
        self.shard.copy_(shard(flatten([value.to(self.shard) for value in values], self.ranks), 0, self.ranks))
