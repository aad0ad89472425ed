"""parameters without a gradient on this rank are left out of what it sends."""


class ShardedOptimizer(ShardedOptimizer):
    @torch.no_grad()
    def step(self):
        whole = torch.zeros_like(flatten(self._parameters, self._ranks)).float()
        place = 0
        for parameter in self._parameters:
            if parameter.grad is not None:
                whole[place : place + parameter.numel()] = parameter.grad.reshape(-1)
                place += parameter.numel()
        self._master.grad = _mean_of_shard(whole, self._ranks)
        self._optimizer.step()
        new = _gathered(self._master.to(self._dtype), self._ranks)
        for parameter, value in zip(self._parameters, _views(new, self._parameters), strict=True):
            parameter.copy_(value)
