"""no_sync changes nothing: every pass is averaged."""


class DataParallel(DataParallel):
    @contextlib.contextmanager
    def no_sync(self):
        yield
