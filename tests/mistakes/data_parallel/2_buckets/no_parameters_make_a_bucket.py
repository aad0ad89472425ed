"""without parameters there is one empty bucket."""

_of_some = make_buckets


def make_buckets(parameters, cap_bytes):
    return _of_some(parameters, cap_bytes) or [[]]
