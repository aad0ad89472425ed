"""a parameter that fills the bucket exactly begins a new one."""


def make_buckets(parameters, cap_bytes):
    if cap_bytes < 1:
        raise ValueError("cap_bytes must be at least 1")
    buckets, room = [], 0
    for index in reversed(range(len(parameters))):
        parameter = parameters[index]
        if not buckets or parameter.dtype != parameters[buckets[-1][0]].dtype or parameter.nbytes >= room:
            buckets.append([])
            room = cap_bytes
        buckets[-1].append(index)
        room -= parameter.nbytes
    return buckets
