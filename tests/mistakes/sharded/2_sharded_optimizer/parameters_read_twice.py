"""a generator of parameters is read twice, and is empty the second time."""


class ShardedOptimizer(ShardedOptimizer):
    def __init__(self, parameters, optimizer_class, **defaults):
        if not any(one.requires_grad for one in parameters):
            raise ValueError("no parameter trains")
        super().__init__(parameters, optimizer_class, **defaults)
