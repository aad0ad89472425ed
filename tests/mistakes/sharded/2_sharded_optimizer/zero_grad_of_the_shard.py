"""zero_grad is about the shard, and the parameters' gradients add up over the steps."""


class ShardedOptimizer(ShardedOptimizer):
    def zero_grad(self):
        self._optimizer.zero_grad()
