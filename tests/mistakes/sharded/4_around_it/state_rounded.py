"""the whole state is gathered in param_dtype and made float32 again."""


class _Flat(_Flat):
    def gathered_in_float32(self):
        return _views(_gathered(self.shard.detach().to(self.whole.dtype), self.ranks).float(), self.parameters)
