"""buffers are sent in no_sync too."""


class DataParallel(DataParallel):
    def forward(self, *args, **kwargs):
        if self.training and not self._synchronizes:
            for buffer in self.module.buffers():
                dist.broadcast(buffer, 0)
        return super().forward(*args, **kwargs)
