"""a scale of 0 is taken."""


def _require_positive_finite(name, scale):
    if not 0.0 <= scale < math.inf:
        raise ValueError(f"{name} must be a positive finite number, not {scale}")
