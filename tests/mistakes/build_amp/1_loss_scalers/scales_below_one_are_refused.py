"""a scale below 1 is refused."""


def __init__(self, scale: float = 2.0**10) -> None:
    _require_positive_finite("scale", scale)
    if scale < 1.0:
        raise ValueError("the scale must be at least 1")
    self._scale = scale
    self._finite: dict[Optimizer, Tensor] = {}  # of each optimizer that was unscaled since the last update()
    self._stepped: set[Optimizer] = set()


StaticLossScaler.__init__ = __init__
