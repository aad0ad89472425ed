"""any backoff factor is taken."""

_init = DynamicLossScaler.__init__


def __init__(
    self, init_scale=65536.0, growth_factor=2.0, backoff_factor=0.5, growth_interval=2000, hysteresis=1, min_scale=None
):
    _init(self, init_scale, growth_factor, 0.5, growth_interval, hysteresis, min_scale)
    self._backoff_factor = backoff_factor


DynamicLossScaler.__init__ = __init__
