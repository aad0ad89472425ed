"""the children are the units, whatever `units` names."""


class ShardedModel(ShardedModel):
    def __init__(self, module, units=None, *args, **kwargs):
        if units is not None:
            _check_units(module, list(units))
        super().__init__(module, None, *args, **kwargs)
