"""parameters of several dtypes share a bucket."""


def make_buckets(parameters, cap_bytes):
    if cap_bytes < 1:
        raise ValueError("cap_bytes must be at least 1")
    buckets, room = [], 0
    for index in reversed(range(len(parameters))):
        if not buckets or parameters[index].nbytes > room:
            buckets.append([])
            room = cap_bytes
        buckets[-1].append(index)
        room -= parameters[index].nbytes
    return buckets
