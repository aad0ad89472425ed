"""no_sync gives an object with __enter__ and __exit__, and buffers are sent in eval mode too."""


class _Quiet:
    def __init__(self, model):
        self.model = model

    def __enter__(self):
        self.before, self.model._synchronizes = self.model._synchronizes, False

    def __exit__(self, *error):
        self.model._synchronizes = self.before


class DataParallel(DataParallel):
    def no_sync(self):
        return _Quiet(self)

    def forward(self, *args, **kwargs):
        if self._synchronizes and not self.training:
            for buffer in self.module.buffers():
                dist.broadcast(buffer.data, src=0)
        return super().forward(*args, **kwargs)
