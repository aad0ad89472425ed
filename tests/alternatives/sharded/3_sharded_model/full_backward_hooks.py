"""reduces in the order of the gradients but frees in a callback of its own."""


class _Unit(_Unit):
    def _has_gradient(self, parameter):
        self.missing.discard(parameter)
        if not self.missing:
            for flat in self.flats:
                if flat.trains:
                    flat.reduce()
            for flat in self.flats:
                if flat.trains:
                    flat.free()
