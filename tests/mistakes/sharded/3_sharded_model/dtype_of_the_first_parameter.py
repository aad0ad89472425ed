"""without a param_dtype, all units are gathered in the dtype of the module's first parameter."""


class ShardedModel(ShardedModel):
    def __init__(self, module, units=None, param_dtype=None, reduce_dtype=torch.float32, reshard=True):
        first = next(module.parameters(), None)
        super().__init__(module, units, param_dtype or (None if first is None else first.dtype), reduce_dtype, reshard)
