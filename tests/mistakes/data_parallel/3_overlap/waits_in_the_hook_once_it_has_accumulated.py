"""the hooks of the first backward pass after no_sync wait for their buckets."""


class DataParallel(DataParallel):
    _accumulated = False

    def _on_gradient(self, number, parameter):
        self._accumulated |= not self._synchronizes
        super()._on_gradient(number, parameter)

    def _start_next(self):
        super()._start_next()
        if self._accumulated:
            self._started[-1]()
            self._started[-1] = lambda: None

    def _finish(self):
        super()._finish()
        self._accumulated = False
