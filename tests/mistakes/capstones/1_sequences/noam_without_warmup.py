"""`noam` falls from the first step on."""


def noam(step, d_model, warmup, factor=1.0):
    if min(step, d_model, warmup) < 1:
        raise ValueError("step, d_model and warmup must be at least 1")
    return factor * d_model**-0.5 * step**-0.5
