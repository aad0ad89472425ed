"""an empty list of units is taken for None: the children are units."""


class ShardedModel(ShardedModel):
    def __init__(self, module, units=None, *args, **kwargs):
        super().__init__(module, units or None, *args, **kwargs)
