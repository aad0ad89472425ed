"""a negative scale is taken: only 0, inf and nan are refused."""


def _require_positive_finite(name, scale):
    if not math.isfinite(scale) or scale == 0.0:
        raise ValueError(f"{name} must be a positive finite number, not {scale}")
