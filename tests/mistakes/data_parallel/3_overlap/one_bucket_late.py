"""a bucket is sent once the next one is full too."""


class DataParallel(DataParallel):
    def _on_gradient(self, number, parameter):
        if not self._synchronizes:
            return
        if not self._under_way:
            self._under_way = True
            Variable._execution_engine.queue_callback(self._finish)
        self._lacking[number] -= 1
        while len(self._started) + 1 < len(self._buckets) and not any(self._lacking[: len(self._started) + 2]):
            self._start_next()
