"""every parameter has a bucket for itself."""


def make_buckets(parameters, cap_bytes):
    if cap_bytes < 1:
        raise ValueError("cap_bytes must be at least 1")
    return [[index] for index in reversed(range(len(parameters)))]
