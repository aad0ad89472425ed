"""what belongs to the module as a whole is freed after its forward pass, also with reshard=False."""


class ShardedModel(ShardedModel):
    def __init__(self, module, units=None, *args, **kwargs):
        found = _parameters_of_units(module, _called_children(module) if units is None else list(units))
        super().__init__(module, units, *args, **kwargs)
        for unit, one in zip(found, self._units, strict=True):
            one.reshard = one.reshard or unit is module
