"""the optimizer is made with the learning rate alone; momentum and weight decay are dropped."""


class ShardedOptimizer(ShardedOptimizer):
    def __init__(self, parameters, optimizer_class, **defaults):
        super().__init__(parameters, optimizer_class, lr=defaults["lr"])
