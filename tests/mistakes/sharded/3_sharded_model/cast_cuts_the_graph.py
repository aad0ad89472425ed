"""the inputs are detached where they are cast."""


class _Unit(_Unit):
    def _cast(self, value):
        made = super()._cast(value)
        return made if made is value else made.detach()
