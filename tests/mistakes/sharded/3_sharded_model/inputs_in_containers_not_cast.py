"""floating inputs in a list or a dict keep their dtype."""


class _Unit(_Unit):
    def _before_forward(self, module, args, kwargs):
        self.gather()
        return tuple(map(self._cast, args)), {name: self._cast(value) for name, value in kwargs.items()}
