"""the loaded weights are cast to param_dtype first."""


class _Flat(_Flat):
    def take(self, values):
        super().take([value.to(self.whole.dtype) for value in values])
