"""a new optimizer is made in every step, and its state is lost."""


class ShardedOptimizer(ShardedOptimizer):
    def __init__(self, parameters, optimizer_class, **defaults):
        super().__init__(parameters, optimizer_class, **defaults)
        self._make = lambda: optimizer_class([self._master], **defaults)

    def step(self):
        self._optimizer = self._make()
        super().step()
