"""the model's inputs are cast, those of its units are not."""


class _Unit(_Unit):
    def _cast(self, value):
        return value


class ShardedModel(ShardedModel):
    def forward(self, *args, **kwargs):
        dtypes = [flat.whole.dtype for unit in self._units for flat in unit.flats]

        def cast(value):
            return value.to(dtypes[0]) if isinstance(value, Tensor) and value.is_floating_point() else value

        return super().forward(*tree_map(cast, args), **tree_map(cast, kwargs))
