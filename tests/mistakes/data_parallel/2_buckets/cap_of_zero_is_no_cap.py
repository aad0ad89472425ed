"""a cap of 0 puts everything into one bucket."""

_capped = make_buckets


def make_buckets(parameters, cap_bytes):
    return _capped(parameters, cap_bytes or 2**62)
