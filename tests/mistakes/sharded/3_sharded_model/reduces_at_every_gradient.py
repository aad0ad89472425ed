"""every gradient of a unit starts a reduction of the whole unit."""


class _Unit(_Unit):
    def _has_gradient(self, parameter):
        for flat in self.flats:
            if flat.trains:
                flat.reduce()
