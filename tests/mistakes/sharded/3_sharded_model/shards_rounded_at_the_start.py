"""the float32 shards are cut from weights that were cast to param_dtype first."""


class _Flat(_Flat):
    def __init__(self, parameters, param_dtype, reduce_dtype):
        super().__init__(parameters, param_dtype, reduce_dtype)
        self.shard.data = self.shard.data.to(self.whole.dtype).float()
