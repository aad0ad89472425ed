"""float32 inputs go into units with bfloat16 weights as they are."""


class _Unit(_Unit):
    def _cast(self, value):
        return value
