"""buckets go from the last parameter to the first, but the parameters in each from first to last."""

_descending = make_buckets


def make_buckets(parameters, cap_bytes):
    return [bucket[::-1] for bucket in _descending(parameters, cap_bytes)]
