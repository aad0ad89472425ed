"""a rank whose part of the average is all zeros leaves its step out: no momentum, no decay."""


class ShardedOptimizer(ShardedOptimizer):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        step = self._optimizer.step
        self._optimizer.step = lambda: step() if self._master.grad.any() else None
