"""inputs that are passed by name are not cast."""


class _Unit(_Unit):
    def _before_forward(self, module, args, kwargs):
        self.gather()
        return tree_map(self._cast, args), kwargs
