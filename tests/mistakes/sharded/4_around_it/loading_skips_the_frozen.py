"""frozen weights are not loaded."""


class _Flat(_Flat):
    def take(self, values):
        if self.trains:
            super().take(values)
