"""frozen weights stay each rank's own."""


class _Flat(_Flat):
    def __init__(self, parameters, param_dtype, reduce_dtype):
        own = flatten(parameters, dist.get_world_size()).float()
        super().__init__(parameters, param_dtype, reduce_dtype)
        if not self.trains:
            self.shard.data = shard(own, self.rank, self.ranks)
