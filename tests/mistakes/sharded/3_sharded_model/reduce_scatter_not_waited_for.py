"""the reduce-scatter is started asynchronously, and its result is used without waiting."""


class _Flat(_Flat):
    def reduce(self):
        gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in self.parameters]
        for parameter in self.parameters:
            parameter.grad = None
        whole = flatten(gradients, self.ranks).to(self.reduce_dtype)
        part = whole.new_zeros(len(whole) // self.ranks)
        reduce_scatter(part, whole, async_op=True)
        mean = (part / self.ranks).float()
        self.shard.grad = mean if self.shard.grad is None else self.shard.grad + mean
