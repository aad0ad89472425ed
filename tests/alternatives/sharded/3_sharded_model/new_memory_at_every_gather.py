"""gathers into new memory, which the parameters are pointed to, instead of resizing."""


class _Flat(_Flat):
    def gather(self):
        if self.whole.untyped_storage().nbytes() < self.bytes:
            whole = _gathered(self.shard.detach().to(self.whole.dtype), self.ranks)
            storage = self.whole.untyped_storage()
            storage.resize_(self.bytes)
            self.whole.copy_(whole)
