"""the buckets of all but the last parameter follow those that it begins."""


def make_buckets(parameters, cap_bytes):
    if cap_bytes <= 0:
        raise ValueError("cap_bytes has to be positive")
    if not parameters:
        return []
    first = last = len(parameters) - 1
    size = parameters[last].nbytes
    while first and parameters[first - 1].dtype == parameters[last].dtype:
        size += parameters[first - 1].nbytes
        if size > cap_bytes:
            break
        first -= 1
    return [[*range(last, first - 1, -1)], *make_buckets(parameters[:first], cap_bytes)]
