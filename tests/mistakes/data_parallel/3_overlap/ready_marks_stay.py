"""buckets that were complete once count as complete: the second backward pass sends the gradients of the first."""


class DataParallel(DataParallel):
    def _forget(self):
        if not hasattr(self, "_lacking"):
            self._lacking = [len(bucket) for bucket in self._buckets]
        self._started, self._under_way = [], False

    def _on_gradient(self, number, parameter):
        if not self._synchronizes:
            return
        if not self._under_way:
            self._under_way = True
            Variable._execution_engine.queue_callback(self._finish)
        self._lacking[number] = max(self._lacking[number] - 1, 0)
        while len(self._started) < len(self._buckets) and self._lacking[len(self._started)] == 0:
            self._start_next()
