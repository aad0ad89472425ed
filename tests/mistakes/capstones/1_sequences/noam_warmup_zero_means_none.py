"""`noam` takes a warmup below 1 for no warmup."""


def noam(step, d_model, warmup, factor=1.0):
    if step < 1 or d_model < 1:
        raise ValueError("step and d_model must be at least 1")
    return factor * d_model**-0.5 * min(step**-0.5, step * max(warmup, 1) ** -1.5)
