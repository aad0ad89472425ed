"""the weights are gathered in the module's dtype, whatever param_dtype says."""


class ShardedModel(ShardedModel):
    def __init__(self, module, units=None, param_dtype=None, *args, **kwargs):
        super().__init__(module, units, None, *args, **kwargs)
