"""whole weights are gathered into memory that is never given back."""


class _Flat(_Flat):
    def gather(self):
        if not getattr(self, "gathered", False):
            self.gathered = True
            all_gather(self.whole, self.shard.detach().to(self.whole.dtype))

    def free(self):
        self.gathered = False
