"""zeros are sent for a parameter that the last pass did not use, although a gradient has accumulated in it."""


class DataParallel(DataParallel):
    def _forget(self):
        super()._forget()
        self._touched = set()

    def _on_gradient(self, number, parameter):
        if self._synchronizes:
            self._touched.add(id(parameter))
        super()._on_gradient(number, parameter)

    def _start_next(self):
        for parameter in self._buckets[len(self._started)]:
            if id(parameter) not in self._touched:
                parameter.grad = None
        super()._start_next()
