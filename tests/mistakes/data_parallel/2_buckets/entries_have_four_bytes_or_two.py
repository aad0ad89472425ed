"""an entry has two bytes in a 16-bit dtype and four in any other."""


def make_buckets(parameters, cap_bytes):
    if cap_bytes < 1:
        raise ValueError("no room")
    buckets, room = [], 0
    for index in reversed(range(len(parameters))):
        one = parameters[index]
        size = one.numel() * (2 if one.dtype in (torch.float16, torch.bfloat16) else 4)
        if not buckets or one.dtype != parameters[buckets[-1][0]].dtype or size > room:
            buckets.append([])
            room = cap_bytes
        buckets[-1].append(index)
        room -= size
    return buckets
