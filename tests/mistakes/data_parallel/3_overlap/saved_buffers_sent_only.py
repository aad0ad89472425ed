"""of the buffers only those that the state dict has are sent."""


class DataParallel(DataParallel):
    def forward(self, *args, **kwargs):
        if self.training and self._synchronizes:
            saved = self.module.state_dict()
            for name, buffer in self.module.named_buffers():
                if name in saved:
                    dist.broadcast(buffer, 0)
        return self.module(*args, **kwargs)
