"""the whole average goes to every rank by an all-reduce, and each keeps its part."""


class _Flat(_Flat):
    def reduce(self):
        gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in self.parameters]
        for parameter in self.parameters:
            parameter.grad = None
        whole = flatten(gradients, self.ranks).to(self.reduce_dtype)
        dist.all_reduce(whole)
        mean = shard(whole / self.ranks, self.rank, self.ranks).float()
        self.shard.grad = mean if self.shard.grad is None else self.shard.grad + mean
