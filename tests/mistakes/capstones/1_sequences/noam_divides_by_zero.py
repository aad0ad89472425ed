"""`noam` checks nothing: step 0 is a ZeroDivisionError."""


def noam(step, d_model, warmup, factor=1.0):
    return factor * d_model**-0.5 * min(step**-0.5, step * warmup**-1.5)
