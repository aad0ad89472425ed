"""a scale of 1 is refused."""


def _require_positive_finite(name, scale):
    if not 1.0 < scale < math.inf:
        raise ValueError(f"{name} must be a positive finite number, not {scale}")
