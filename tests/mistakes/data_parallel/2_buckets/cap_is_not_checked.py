"""a cap of 0 gives each parameter a bucket for itself."""


def make_buckets(parameters, cap_bytes):
    buckets, room = [], 0
    for index in reversed(range(len(parameters))):
        parameter = parameters[index]
        if not buckets or parameter.dtype != parameters[buckets[-1][0]].dtype or parameter.nbytes > room:
            buckets.append([])
            room = cap_bytes
        buckets[-1].append(index)
        room -= parameter.nbytes
    return buckets
