"""`noam` has warmup**-0.5 where the paper has warmup**-1.5."""


def noam(step, d_model, warmup, factor=1.0):
    if min(step, d_model, warmup) < 1:
        raise ValueError("step, d_model and warmup must be at least 1")
    return factor * d_model**-0.5 * min(step**-0.5, step * warmup**-0.5)
