"""`noam` does not check d_model."""


def noam(step, d_model, warmup, factor=1.0):
    if step < 1 or warmup < 1:
        raise ValueError("step and warmup must be at least 1")
    return factor * abs(d_model or 1) ** -0.5 * min(step**-0.5, step * warmup**-1.5)
