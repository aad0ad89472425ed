"""an exception inside no_sync is swallowed."""


class DataParallel(DataParallel):
    @contextlib.contextmanager
    def no_sync(self):
        before, self._synchronizes = self._synchronizes, False
        with contextlib.suppress(Exception):
            yield
        self._synchronizes = before
