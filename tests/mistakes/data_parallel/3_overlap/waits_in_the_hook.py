"""a hook waits for its bucket before it lets the backward pass go on."""


class DataParallel(DataParallel):
    def _start_next(self):
        super()._start_next()
        self._started[-1]()
        self._started[-1] = lambda: None
