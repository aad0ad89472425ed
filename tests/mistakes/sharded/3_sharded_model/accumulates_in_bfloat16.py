"""the gradients of micro-batches are added up in bfloat16."""


class _Flat(_Flat):
    def reduce(self):
        gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in self.parameters]
        for parameter in self.parameters:
            parameter.grad = None
        whole = flatten(gradients, self.ranks).to(self.reduce_dtype)
        mean = _mean_of_shard(whole, self.ranks).float()
        before = mean * 0 if self.shard.grad is None else self.shard.grad
        self.shard.grad = (before.bfloat16() + mean.bfloat16()).float()
