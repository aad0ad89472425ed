"""the whole gradients are not removed after they were reduced, and the next backward pass adds to them."""


class _Flat(_Flat):
    def reduce(self):
        gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in self.parameters]
        mean = _mean_of_shard(flatten(gradients, self.ranks).to(self.reduce_dtype), self.ranks).float()
        self.shard.grad = mean if self.shard.grad is None else self.shard.grad + mean
