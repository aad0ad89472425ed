"""a hook waits for its bucket if gradients are cast to another dtype."""


class DataParallel(DataParallel):
    def _start_next(self):
        super()._start_next()
        if self._dtype is not None:
            self._started[-1]()
            self._started[-1] = lambda: None
