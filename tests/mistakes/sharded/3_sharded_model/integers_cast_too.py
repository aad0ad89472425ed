"""integer inputs are cast to param_dtype as well."""


class _Unit(_Unit):
    def _cast(self, value):
        cast = isinstance(value, Tensor) and self.param_dtype is not None
        return value.to(self.param_dtype) if cast else value
