"""the first hook of a backward pass waits for all ranks to come that far."""


class DataParallel(DataParallel):
    def _on_gradient(self, number, parameter):
        if self._synchronizes and not self._under_way:
            dist.barrier()
        super()._on_gradient(number, parameter)
