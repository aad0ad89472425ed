"""with param_dtype, parameters of different dtypes in a unit are taken."""


class ShardedModel(ShardedModel):
    def __init__(self, module, units=None, param_dtype=None, *args, **kwargs):
        if param_dtype is not None:
            module.to(param_dtype)
        super().__init__(module, units, param_dtype, *args, **kwargs)
