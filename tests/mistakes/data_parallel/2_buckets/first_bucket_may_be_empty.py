"""a first parameter above the cap leaves an empty bucket before it."""

_filled = make_buckets


def make_buckets(parameters, cap_bytes):
    buckets = _filled(parameters, cap_bytes)
    return [[], *buckets] if buckets and parameters[-1].nbytes > cap_bytes else buckets
