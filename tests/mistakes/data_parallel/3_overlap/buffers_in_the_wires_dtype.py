"""floating point buffers are sent in the wire's dtype too, and arrive rounded."""


class DataParallel(DataParallel):
    def forward(self, *args, **kwargs):
        if self.training and self._synchronizes:
            for buffer in self.module.buffers():
                sent = buffer.to(self._dtype) if self._dtype and buffer.is_floating_point() else buffer
                dist.broadcast(sent, 0)
                if dist.get_rank():
                    buffer.copy_(sent)
        return self.module(*args, **kwargs)
