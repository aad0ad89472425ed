"""the shards are gathered in float32 and cast afterwards."""


class _Flat(_Flat):
    def gather(self):
        storage = self.whole.untyped_storage()
        if storage.nbytes() < self.bytes:
            storage.resize_(self.bytes)
            self.whole.copy_(_gathered(self.shard.detach(), self.ranks))
