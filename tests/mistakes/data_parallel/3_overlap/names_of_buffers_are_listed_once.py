"""the names of the buffers are listed when the module is wrapped: one that is None then is never sent."""


class DataParallel(DataParallel):
    def __init__(self, module, cap_bytes=25 * 2**20, dtype=None):
        super().__init__(module, cap_bytes, dtype)
        self._names = [name for name, _ in module.named_buffers()]

    def forward(self, *args, **kwargs):
        if self.training and self._synchronizes:
            for name in self._names:
                dist.broadcast(self.module.get_buffer(name), 0)
        return self.module(*args, **kwargs)
