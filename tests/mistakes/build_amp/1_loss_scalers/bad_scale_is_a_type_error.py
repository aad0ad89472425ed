"""a scale of 0 is a TypeError, where a ValueError is asked for."""


def _require_positive_finite(name, scale):
    if not 0.0 < scale < math.inf:
        raise TypeError(f"{name} must be a positive finite number, not {scale}")
