"""a scale of inf is taken: only its sign is looked at."""


def _require_positive_finite(name, scale):
    if not scale > 0.0:
        raise ValueError(f"{name} must be a positive finite number, not {scale}")
