"""the averages are waited for when the last gradient comes, which never does if a parameter is unused."""


class DataParallel(DataParallel):
    def _on_gradient(self, number, parameter):
        if not self._synchronizes:
            return
        self._lacking[number] -= 1
        while len(self._started) < len(self._buckets) and self._lacking[len(self._started)] == 0:
            self._start_next()
        if len(self._started) == len(self._buckets):
            self._finish()
