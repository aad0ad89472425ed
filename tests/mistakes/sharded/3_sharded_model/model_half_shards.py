"""the shards have the dtype of the gathered weights, and no float32 copy."""


class _Flat(_Flat):
    def __init__(self, parameters, param_dtype, reduce_dtype):
        super().__init__(parameters, param_dtype, reduce_dtype)
        self.shard = nn.Parameter(self.shard.detach().to(self.whole.dtype), requires_grad=self.trains)

    def reduce(self):
        gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in self.parameters]
        for parameter in self.parameters:
            parameter.grad = None
        whole = flatten(gradients, self.ranks).to(self.reduce_dtype)
        mean = _mean_of_shard(whole, self.ranks).to(self.shard.dtype)
        self.shard.grad = mean if self.shard.grad is None else self.shard.grad + mean
