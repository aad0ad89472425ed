"""the first backward pass after no_sync sends nothing before it is over."""


class DataParallel(DataParallel):
    _accumulated = False

    def _on_gradient(self, number, parameter):
        if not self._synchronizes:
            self._accumulated = True
        elif not self._accumulated:
            super()._on_gradient(number, parameter)
        elif not self._under_way:
            self._under_way = True
            Variable._execution_engine.queue_callback(self._finish)

    def _finish(self):
        super()._finish()
        self._accumulated = False
