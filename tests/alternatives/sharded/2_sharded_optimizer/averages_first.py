"""divides before the sum, and lets the parameters share the gathered memory."""


class ShardedOptimizer(ShardedOptimizer):
    def step(self):
        with torch.no_grad():
            rows = [torch.zeros_like(one) if one.grad is None else one.grad for one in self._parameters]
            whole = flatten(rows, self._ranks).float() / self._ranks
            part = torch.empty_like(self._master)
            reduce_scatter(part, whole)
            self._master.grad = part
        self._optimizer.step()
        new = _gathered(self._master.detach().to(self._dtype), self._ranks)
        for parameter, value in zip(self._parameters, _views(new, self._parameters), strict=True):
            parameter.data = value
