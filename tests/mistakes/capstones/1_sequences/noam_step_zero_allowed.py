"""`noam` takes step 0 for step 1 instead of refusing it."""

_noam = noam


def noam(step, d_model, warmup, factor=1.0):
    return _noam(1 if step == 0 else step, d_model, warmup, factor)
