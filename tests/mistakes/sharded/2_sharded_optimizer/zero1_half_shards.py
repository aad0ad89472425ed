"""the shard that the optimizer steps has the parameters' dtype, bfloat16, and no float32 copy."""


class ShardedOptimizer(ShardedOptimizer):
    def __init__(self, parameters, optimizer_class, **defaults):
        super().__init__(parameters, optimizer_class, **defaults)
        self._master = nn.Parameter(self._master.detach().to(self._dtype))
        self._optimizer = optimizer_class([self._master], **defaults)

    @torch.no_grad()
    def step(self):
        gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in self._parameters]
        self._master.grad = _mean_of_shard(flatten(gradients, self._ranks).float(), self._ranks).to(self._dtype)
        self._optimizer.step()
        self._master.grad = None
        whole = _gathered(self._master.detach(), self._ranks)
        for parameter, value in zip(self._parameters, _views(whole, self._parameters), strict=True):
            parameter.copy_(value)
