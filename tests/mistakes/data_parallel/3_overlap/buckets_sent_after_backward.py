"""all buckets are sent when the backward pass is over."""


class DataParallel(DataParallel):
    def _on_gradient(self, number, parameter):
        if self._synchronizes and not self._under_way:
            self._under_way = True
            Variable._execution_engine.queue_callback(self._finish)
