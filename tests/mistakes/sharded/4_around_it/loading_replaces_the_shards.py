"""loading makes new shards, which the optimizer does not know."""


class _Flat(_Flat):
    def take(self, values):
        whole = flatten([value.to(self.shard) for value in values], self.ranks)
        self.shard = nn.Parameter(shard(whole, self.rank, self.ranks), requires_grad=self.trains)
