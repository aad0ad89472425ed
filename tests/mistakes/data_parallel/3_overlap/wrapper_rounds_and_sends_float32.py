"""gradients are rounded to `dtype` before they are sent in float32."""


class DataParallel(DataParallel):
    def _start_next(self):
        for parameter in self._buckets[len(self._started)]:
            if self._dtype is not None:
                gradient = _gradient(parameter)
                gradient.copy_(gradient.to(self._dtype))
        self._started.append(_start_average(self._buckets[len(self._started)], None))
