"""a unit's frozen weights are freed with its trained ones, before the backward pass has used them."""


class _Unit(_Unit):
    def _reduce(self):
        for flat in self.flats:
            if flat.trains:
                flat.reduce()
            else:
                flat.whole.zero_()
            flat.free()

    def _before_backward(self, gradient):
        super()._before_backward(gradient)
