"""`noam` leaves out the factor."""


def noam(step, d_model, warmup, factor=1.0):
    if min(step, d_model, warmup) < 1:
        raise ValueError("step, d_model and warmup must be at least 1")
    return d_model**-0.5 * min(step**-0.5, step * warmup**-1.5)
