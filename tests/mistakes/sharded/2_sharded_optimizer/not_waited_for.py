"""the reduce-scatter is started and not waited for."""


def _mean_of_shard(whole, ranks):
    part = whole.new_zeros(len(whole) // ranks)
    reduce_scatter(part, whole, async_op=True)
    return part / ranks


class ShardedOptimizer(ShardedOptimizer):
    @torch.no_grad()
    def step(self):
        gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in self._parameters]
        self._master.grad = _mean_of_shard(flatten(gradients, self._ranks).float(), self._ranks)
        self._optimizer.step()
        self._master.grad = None
        whole = _gathered(self._master.to(self._dtype), self._ranks)
        for parameter, value in zip(self._parameters, _views(whole, self._parameters), strict=True):
            parameter.copy_(value)
