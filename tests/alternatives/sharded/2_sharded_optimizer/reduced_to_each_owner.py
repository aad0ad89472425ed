"""reduces each part to the rank that steps it, and lets that rank broadcast it."""


class ShardedOptimizer(ShardedOptimizer):
    @torch.no_grad()
    def step(self):
        gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in self._parameters]
        parts = list(flatten(gradients, self._ranks).float().chunk(self._ranks))
        for rank, part in enumerate(parts):
            dist.reduce(part, rank)
        self._master.grad = parts[self._rank] / self._ranks
        self._optimizer.step()
        self._master.grad = None
        new = [torch.empty_like(self._master, dtype=self._dtype) for _ in parts]
        new[self._rank].copy_(self._master)
        for rank, part in enumerate(new):
            dist.broadcast(part, rank)
        for parameter, value in zip(self._parameters, _views(torch.cat(new), self._parameters), strict=True):
            parameter.copy_(value)
