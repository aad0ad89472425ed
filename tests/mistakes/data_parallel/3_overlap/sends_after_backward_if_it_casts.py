"""buckets are sent during the backward pass only if nothing is cast to another dtype."""


class DataParallel(DataParallel):
    def _on_gradient(self, number, parameter):
        if self._dtype is None:
            super()._on_gradient(number, parameter)
        elif self._synchronizes and not self._under_way:
            self._under_way = True
            Variable._execution_engine.queue_callback(self._finish)
