"""cuts every parameter by itself, and gathers the parts of a unit in one call."""


class _Flat(_Flat):
    def __init__(self, parameters, param_dtype, reduce_dtype):
        self.parameters, self.reduce_dtype = list(parameters), reduce_dtype
        self.rank, self.ranks = _rank_and_ranks()
        self.trains = parameters[0].requires_grad
        self.shards = []
        for parameter in self.parameters:
            start = parameter.detach().clone()
            dist.broadcast(start, 0)
            part = shard(start, self.rank, self.ranks).float()
            self.shards.append(nn.Parameter(part, requires_grad=self.trains))
        self.dtype = param_dtype or parameters[0].dtype
        self.gathered = False
        for parameter in self.parameters:
            parameter.in_sharded_model = True
            parameter.data = torch.empty(parameter.shape, dtype=self.dtype)
            parameter.grad = None
        self.free()

    def _pieces(self, dtype):
        own = torch.cat([one.detach() for one in self.shards]).to(dtype)
        rows = _gathered(own, self.ranks).view(self.ranks, -1).split([len(one) for one in self.shards], dim=1)
        return [unshard(list(row), one.shape) for row, one in zip(rows, self.parameters, strict=True)]

    def gather(self):
        if not self.gathered:
            self.gathered = True
            for parameter, value in zip(self.parameters, self._pieces(self.dtype), strict=True):
                parameter.untyped_storage().resize_(value.nbytes)
                parameter.data.copy_(value)

    def free(self):
        self.gathered = False
        for parameter in self.parameters:
            parameter.untyped_storage().resize_(0)

    def reduce(self):
        rows = []
        for parameter, own in zip(self.parameters, self.shards, strict=True):
            gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            rows.append(flatten([gradient.to(self.reduce_dtype)], self.ranks).view(self.ranks, -1))
            parameter.grad = None
        mean = _mean_of_shard(torch.cat(rows, dim=1).reshape(-1), self.ranks).float()
        for own, part in zip(self.shards, mean.split([len(one) for one in self.shards]), strict=True):
            own.grad = part.clone() if own.grad is None else own.grad + part

    def gathered_in_float32(self):
        return self._pieces(torch.float32)

    def take(self, values):
        for own, value in zip(self.shards, values, strict=True):
            own.copy_(shard(value.float(), self.rank, self.ranks))


class ShardedModel(ShardedModel):
    def shards(self):
        return [one for unit in self._units for flat in unit.flats for one in flat.shards]
