"""each rank has new values for its own part only."""


class ShardedOptimizer(ShardedOptimizer):
    @torch.no_grad()
    def step(self):
        gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in self._parameters]
        self._master.grad = _mean_of_shard(flatten(gradients, self._ranks).float(), self._ranks)
        self._optimizer.step()
        whole = flatten(self._parameters, self._ranks)
        size = len(self._master)
        whole[self._rank * size : (self._rank + 1) * size] = self._master
        for parameter, value in zip(self._parameters, _views(whole, self._parameters), strict=True):
            parameter.copy_(value)
