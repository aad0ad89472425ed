"""after an exception in a backward pass inside no_sync, the next pass takes its end for announced already."""


class DataParallel(DataParallel):
    _announced = False

    def _forget(self):
        announced = self._announced
        super()._forget()
        self._under_way = announced

    def _on_gradient(self, number, parameter):
        if not self._announced:
            self._announced = True
            Variable._execution_engine.queue_callback(self._announce_next)
        super()._on_gradient(number, parameter)

    def _announce_next(self):
        self._announced = False
        if self._synchronizes:
            self._finish()
        self._under_way = False
