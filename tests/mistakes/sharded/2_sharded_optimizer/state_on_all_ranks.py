"""every rank averages all gradients and steps all parameters: nothing is sharded."""


class ShardedOptimizer(ShardedOptimizer):
    def __init__(self, parameters, optimizer_class, **defaults):
        super().__init__(parameters, optimizer_class, **defaults)
        self._optimizer = optimizer_class(self._parameters, **defaults)

    @torch.no_grad()
    def step(self):
        for parameter in self._parameters:
            parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            dist.all_reduce(parameter.grad)
            parameter.grad /= self._ranks
        self._optimizer.step()
