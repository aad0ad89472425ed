"""the averaged gradients are rounded to the dtype of the gathered weights."""


class _Flat(_Flat):
    def reduce(self):
        gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in self.parameters]
        for parameter in self.parameters:
            parameter.grad = None
        whole = flatten(gradients, self.ranks).to(self.reduce_dtype)
        mean = _mean_of_shard(whole, self.ranks).to(self.whole.dtype).float()
        self.shard.grad = mean if self.shard.grad is None else self.shard.grad + mean
