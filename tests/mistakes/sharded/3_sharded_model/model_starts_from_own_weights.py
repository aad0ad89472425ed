"""every rank starts from its own weights."""


class _Flat(_Flat):
    def __init__(self, parameters, param_dtype, reduce_dtype):
        start = flatten(parameters, dist.get_world_size()).float()
        super().__init__(parameters, param_dtype, reduce_dtype)
        self.shard.data = shard(start, self.rank, self.ranks)
