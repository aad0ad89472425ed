"""the backward pass has no whole weights any more."""


class _Unit(_Unit):
    def _before_backward(self, gradient):
        for flat in self.flats:
            if flat.whole.untyped_storage().nbytes() < flat.bytes:
                flat.whole.untyped_storage().resize_(flat.bytes)
                flat.whole.zero_()
        super()._before_backward(gradient)
