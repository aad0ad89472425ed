"""a frozen parameter of another dtype is refused."""


class ShardedOptimizer(ShardedOptimizer):
    def __init__(self, parameters, optimizer_class, **defaults):
        parameters = list(parameters)
        _check_kinds(parameters)
        super().__init__(parameters, optimizer_class, **defaults)
