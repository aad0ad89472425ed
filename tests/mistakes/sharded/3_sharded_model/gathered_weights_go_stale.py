"""what is still gathered from an earlier pass is used again, also after a step."""


class _Unit(_Unit):
    def reset(self):
        self.in_backward = False
