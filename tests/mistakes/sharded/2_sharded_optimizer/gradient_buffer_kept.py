"""a flat buffer of all gradients is made once and kept, on every rank the whole of it."""


class ShardedOptimizer(ShardedOptimizer):
    def __init__(self, parameters, optimizer_class, **defaults):
        super().__init__(parameters, optimizer_class, **defaults)
        self._buffer = torch.zeros(len(self._master) * self._ranks)

    @torch.no_grad()
    def step(self):
        gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in self._parameters]
        self._buffer.copy_(flatten(gradients, self._ranks))
        self._master.grad = _mean_of_shard(self._buffer, self._ranks)
        self._optimizer.step()
        self._master.grad = None
        whole = _gathered(self._master.to(self._dtype), self._ranks)
        for parameter, value in zip(self._parameters, _views(whole, self._parameters), strict=True):
            parameter.copy_(value)
