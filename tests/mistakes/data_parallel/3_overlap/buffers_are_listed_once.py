"""the buffers are listed when the module is wrapped: those that it assigns later are not sent."""


class DataParallel(DataParallel):
    def __init__(self, module, cap_bytes=25 * 2**20, dtype=None):
        super().__init__(module, cap_bytes, dtype)
        self._listed = list(module.buffers())

    def forward(self, *args, **kwargs):
        if self.training and self._synchronizes:
            for buffer in self._listed:
                dist.broadcast(buffer, 0)
        return self.module(*args, **kwargs)
