"""a forward pass in backward that stops early leaves its unit as one that still runs: it is never freed or reduced."""


class _Unit(_Unit):
    def __init__(self, *args):
        super().__init__(*args)
        self.running = 0

    def _before_forward(self, module, args, kwargs):
        self.running += 1
        return super()._before_forward(module, args, kwargs)

    def _after_forward(self, module, args, output):
        self.running -= 1
        super()._after_forward(module, args, output)

    def _reduce(self):
        if not self.running:
            super()._reduce()
