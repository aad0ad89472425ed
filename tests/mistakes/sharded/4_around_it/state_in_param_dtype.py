"""the whole state has the dtype of the gathered weights."""


class _Flat(_Flat):
    def gathered_in_float32(self):
        return _views(_gathered(self.shard.detach().to(self.whole.dtype), self.ranks), self.parameters)
