"""a growth interval of 0 is taken."""

_init = DynamicLossScaler.__init__


def __init__(
    self, init_scale=65536.0, growth_factor=2.0, backoff_factor=0.5, growth_interval=2000, hysteresis=1, min_scale=None
):
    _init(self, init_scale, growth_factor, backoff_factor, growth_interval or 1, hysteresis, min_scale)


DynamicLossScaler.__init__ = __init__
