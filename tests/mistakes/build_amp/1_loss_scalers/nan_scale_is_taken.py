"""a scale of nan is taken: no comparison with it is true."""


def _require_positive_finite(name, scale):
    if scale <= 0.0 or scale == math.inf:
        raise ValueError(f"{name} must be a positive finite number, not {scale}")
