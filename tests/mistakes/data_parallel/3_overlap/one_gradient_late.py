"""a hook looks for full buckets before it counts its own gradient: each is sent one gradient late."""


class DataParallel(DataParallel):
    def _on_gradient(self, number, parameter):
        if not self._synchronizes:
            return
        if not self._under_way:
            self._under_way = True
            Variable._execution_engine.queue_callback(self._finish)
        while len(self._started) < len(self._buckets) and self._lacking[len(self._started)] == 0:
            self._start_next()
        self._lacking[number] -= 1
