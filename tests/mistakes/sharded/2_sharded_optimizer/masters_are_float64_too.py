"""the shard of float64 parameters is float64, as if master weights had to be at least float32."""


class ShardedOptimizer(ShardedOptimizer):
    def __init__(self, parameters, optimizer_class, **defaults):
        trained = list(parameters)
        super().__init__(trained, optimizer_class, **defaults)
        if any(one.dtype == torch.float64 for one in trained):
            self._master.data = self._master.data.double()
            self._optimizer = optimizer_class([self._master], **defaults)
