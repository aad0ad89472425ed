"""a bucket that has no bytes yet counts as none: the parameter after an empty one begins another."""


def make_buckets(parameters, cap_bytes):
    if cap_bytes < 1:
        raise ValueError("no room")
    buckets, used, dtype = [], 0, None
    for index in reversed(range(len(parameters))):
        one = parameters[index]
        if not used or one.dtype != dtype or used + one.nbytes > cap_bytes:
            buckets.append([])
            used, dtype = 0, one.dtype
        buckets[-1].append(index)
        used += one.nbytes
    return buckets
