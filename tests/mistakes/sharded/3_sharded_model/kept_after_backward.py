"""the weights stay gathered after the backward pass until the next forward pass begins."""


class _Unit(_Unit):
    def _reduce(self):
        for flat in self.flats:
            if flat.trains:
                flat.reduce()

    def _after_backward(self):
        self.in_backward = False
        if any(parameter.grad is not None for flat in self.flats for parameter in flat.parameters):
            self._reduce()
