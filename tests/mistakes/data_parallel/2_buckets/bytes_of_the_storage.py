"""a parameter counts with the bytes of its storage, of which it may be a part."""


def make_buckets(parameters, cap_bytes):
    if cap_bytes < 1:
        raise ValueError("no room")
    buckets, room = [], 0
    for index in reversed(range(len(parameters))):
        size = parameters[index].untyped_storage().nbytes()
        if not buckets or parameters[index].dtype != parameters[buckets[-1][0]].dtype or size > room:
            buckets.append([])
            room = cap_bytes
        buckets[-1].append(index)
        room -= size
    return buckets
