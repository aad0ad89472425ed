"""a bucket that is full is closed, and an empty parameter behind it begins another."""


def make_buckets(parameters, cap_bytes):
    if cap_bytes < 1:
        raise ValueError("no room")
    buckets, room = [], 0
    for index in reversed(range(len(parameters))):
        one = parameters[index]
        if room <= 0 or one.dtype != parameters[buckets[-1][0]].dtype or one.nbytes > room:
            buckets.append([])
            room = cap_bytes
        buckets[-1].append(index)
        room -= one.nbytes
    return buckets
