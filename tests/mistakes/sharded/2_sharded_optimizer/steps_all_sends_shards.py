"""the optimizer is made of all parameters, and only this rank's part of what it steps is sent."""


class ShardedOptimizer(ShardedOptimizer):
    def __init__(self, parameters, optimizer_class, **defaults):
        super().__init__(parameters, optimizer_class, **defaults)
        self._all = nn.Parameter(flatten(self._parameters, self._ranks).float())
        self._optimizer = optimizer_class([self._all], **defaults)

    @torch.no_grad()
    def step(self):
        gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in self._parameters]
        part = _mean_of_shard(flatten(gradients, self._ranks).float(), self._ranks)
        self._all.grad = torch.zeros_like(self._all)
        size = len(part)
        self._all.grad[self._rank * size : (self._rank + 1) * size] = part
        self._optimizer.step()
        whole = _gathered(shard(self._all, self._rank, self._ranks).to(self._dtype), self._ranks)
        for parameter, value in zip(self._parameters, _views(whole, self._parameters), strict=True):
            parameter.copy_(value)
