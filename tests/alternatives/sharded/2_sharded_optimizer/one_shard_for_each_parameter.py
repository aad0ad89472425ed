"""cuts every parameter by itself, and sends them in one call each."""


class ShardedOptimizer:
    def __init__(self, parameters, optimizer_class, **defaults):
        self.rank, self.ranks = _rank_and_ranks()
        self.whole = [parameter for parameter in parameters if parameter.requires_grad]
        flatten(self.whole, self.ranks)
        self.parts = [nn.Parameter(shard(one, self.rank, self.ranks).float()) for one in self.whole]
        self.inner = optimizer_class(self.parts, **defaults)

    @torch.no_grad()
    def step(self):
        for one, part in zip(self.whole, self.parts, strict=True):
            gradient = torch.zeros_like(one) if one.grad is None else one.grad
            part.grad = _mean_of_shard(flatten([gradient.float()], self.ranks), self.ranks)
        self.inner.step()
        for one, part in zip(self.whole, self.parts, strict=True):
            new = _gathered(part.detach().to(one.dtype), self.ranks)
            one.copy_(new[: one.numel()].view(one.shape))

    def zero_grad(self):
        for one in self.whole:
            one.grad = None if one.grad is None else torch.zeros_like(one)

    def state_dict(self):
        return self.inner.state_dict()
