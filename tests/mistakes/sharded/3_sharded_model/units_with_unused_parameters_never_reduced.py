"""a unit of which one parameter gets no gradient is never reduced."""


class _Unit(_Unit):
    def _after_backward(self):
        self.in_backward = False
        for flat in self.flats:
            for parameter in flat.parameters:
                parameter.grad = None
        self.free()
