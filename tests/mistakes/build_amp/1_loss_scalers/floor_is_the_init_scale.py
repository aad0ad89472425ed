"""the scale never falls below the first one."""

_init = DynamicLossScaler.__init__


def __init__(self, init_scale=65536.0, *args, **settings):
    _init(self, init_scale, *args, **settings)
    self._min_scale = max(self._min_scale, init_scale / 2**10)


DynamicLossScaler.__init__ = __init__
