"""A window of a single batch is refused too: `window <= 1` raises."""

whole = accumulate


def accumulate(model, batches, window, *args, **kwargs):
    if window <= 1:
        raise ValueError("a window has at least two batches")
    return whole(model, batches, window, *args, **kwargs)
