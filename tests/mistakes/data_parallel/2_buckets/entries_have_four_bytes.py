"""every entry is taken for 4 bytes, whatever its dtype."""


def make_buckets(parameters, cap_bytes):
    if cap_bytes < 1:
        raise ValueError("cap_bytes must be at least 1")
    buckets, room = [], 0
    for index in reversed(range(len(parameters))):
        parameter, size = parameters[index], 4 * parameters[index].numel()
        if not buckets or parameter.dtype != parameters[buckets[-1][0]].dtype or size > room:
            buckets.append([])
            room = cap_bytes
        buckets[-1].append(index)
        room -= size
    return buckets
