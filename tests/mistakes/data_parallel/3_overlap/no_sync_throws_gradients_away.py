"""the gradients of the passes inside no_sync are removed when it ends."""


class DataParallel(DataParallel):
    @contextlib.contextmanager
    def no_sync(self):
        with super().no_sync():
            yield
        for bucket in self._buckets:
            for parameter in bucket:
                parameter.grad = None
