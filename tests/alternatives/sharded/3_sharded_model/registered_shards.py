"""keeps the shards in a ParameterList, and the module outside of the registered ones."""


class ShardedModel(ShardedModel):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._own = [flat.shard for unit in self._units for flat in unit.flats]

    def shards(self):
        return list(self._own)

    def named_parameters(self, prefix="", recurse=True, remove_duplicate=True):
        return ((f"part_{index}", one) for index, one in enumerate(self._own))
