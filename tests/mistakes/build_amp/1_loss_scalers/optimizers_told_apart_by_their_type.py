"""optimizers are told apart by their class, and two of SGD are one."""


class _ByType(dict):
    def __contains__(self, optimizer):
        return super().__contains__(type(optimizer))

    def __setitem__(self, optimizer, flag):
        super().__setitem__(type(optimizer), flag)

    def __getitem__(self, optimizer):
        return super().__getitem__(type(optimizer))


_init = StaticLossScaler.__init__


def __init__(self, scale=2.0**10):
    _init(self, scale)
    self._finite = _ByType()


StaticLossScaler.__init__ = __init__
