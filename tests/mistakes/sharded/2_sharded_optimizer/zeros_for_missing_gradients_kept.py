"""whole zeros that stand for a missing gradient are kept for the next steps."""


class ShardedOptimizer(ShardedOptimizer):
    @torch.no_grad()
    def step(self):
        self._zeros = getattr(self, "_zeros", {})
        missing = [one for one in self._parameters if one.grad is None]
        for one in missing:
            one.grad = self._zeros.setdefault(id(one), torch.zeros_like(one)).clone()
        super().step()
        for one in missing:
            one.grad = None
