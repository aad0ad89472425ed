"""the gradients are divided by the number of ranks in their own dtype, and cast to float32 after that."""


class ShardedOptimizer(ShardedOptimizer):
    def step(self):
        for one in self._parameters:
            if one.grad is not None:
                one.grad = (one.grad / self._ranks).mul(self._ranks) if one.dtype != torch.float32 else one.grad
        super().step()
