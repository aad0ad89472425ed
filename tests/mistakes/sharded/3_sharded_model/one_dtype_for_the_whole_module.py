"""units of different dtypes are refused, though each of them has one."""


class ShardedModel(ShardedModel):
    def __init__(self, module, *args, **kwargs):
        if dist.is_initialized():
            _check_kinds(list(module.parameters()))
        super().__init__(module, *args, **kwargs)
