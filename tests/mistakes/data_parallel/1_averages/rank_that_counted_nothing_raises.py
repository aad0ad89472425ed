"""a rank whose own count is 0 raises, and leaves the others waiting."""

_mean = mean_over_ranks


def mean_over_ranks(total, count):
    if count == 0:
        raise ValueError("nothing was counted")
    return _mean(total, count)
