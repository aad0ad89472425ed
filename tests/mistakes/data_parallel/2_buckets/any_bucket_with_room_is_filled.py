"""a parameter joins the first bucket that has room, not only the newest."""


def make_buckets(parameters, cap_bytes):
    if cap_bytes < 1:
        raise ValueError("cap_bytes must be at least 1")
    buckets = []
    for index in reversed(range(len(parameters))):
        parameter = parameters[index]
        for bucket in buckets:
            size = sum(parameters[i].nbytes for i in bucket) + parameter.nbytes
            if size <= cap_bytes and parameters[bucket[0]].dtype == parameter.dtype:
                bucket.append(index)
                break
        else:
            buckets.append([index])
    return buckets
