"""each rank steps its part with its own gradient: nothing is averaged."""


class ShardedOptimizer(ShardedOptimizer):
    @torch.no_grad()
    def step(self):
        gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in self._parameters]
        self._master.grad = shard(flatten(gradients, self._ranks).float(), self._rank, self._ranks)
        self._optimizer.step()
        self._master.grad = None
        whole = _gathered(self._master.to(self._dtype), self._ranks)
        for parameter, value in zip(self._parameters, _views(whole, self._parameters), strict=True):
            parameter.copy_(value)
