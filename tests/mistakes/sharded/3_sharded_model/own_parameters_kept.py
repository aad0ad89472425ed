"""what belongs to the module as a whole stays gathered from its forward pass on, whatever reshard says."""


class ShardedModel(ShardedModel):
    def __init__(self, module, units=None, *args, **kwargs):
        found = _parameters_of_units(module, _called_children(module) if units is None else list(units))
        super().__init__(module, units, *args, **kwargs)
        for unit, one in zip(found, self._units, strict=True):
            one.reshard = one.reshard and unit is not module
