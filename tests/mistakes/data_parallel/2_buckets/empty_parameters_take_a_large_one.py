"""a bucket of empty parameters counts as not begun, so a parameter above the cap joins it."""


def make_buckets(parameters, cap_bytes):
    if cap_bytes < 1:
        raise ValueError("no room")
    buckets, used = [], 0
    for index in reversed(range(len(parameters))):
        one = parameters[index]
        same = buckets and one.dtype == parameters[buckets[-1][0]].dtype
        if not same or (used and used + one.nbytes > cap_bytes):
            buckets.append([])
            used = 0
        buckets[-1].append(index)
        used += one.nbytes
    return buckets
