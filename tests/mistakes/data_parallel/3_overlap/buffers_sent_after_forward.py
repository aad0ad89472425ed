"""buffers are sent after the forward pass instead of before it."""


class DataParallel(DataParallel):
    def forward(self, *args, **kwargs):
        output = self.module(*args, **kwargs)
        if self.training and self._synchronizes:
            for buffer in self.module.buffers():
                dist.broadcast(buffer, 0)
        return output
