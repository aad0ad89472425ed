"""buckets are sent once the first layer's gradients are there, all at the same time."""


class DataParallel(DataParallel):
    def _on_gradient(self, number, parameter):
        if not self._synchronizes:
            return
        if not self._under_way:
            self._under_way = True
            Variable._execution_engine.queue_callback(self._finish)
        self._lacking[number] -= 1
        if not any(self._lacking):
            while len(self._started) < len(self._buckets):
                self._start_next()
