"""a parameter of an earlier dtype goes on with the last bucket of that dtype."""


def make_buckets(parameters, cap_bytes):
    if cap_bytes < 1:
        raise ValueError("cap_bytes must be at least 1")
    buckets, newest = [], {}
    for index in reversed(range(len(parameters))):
        parameter = parameters[index]
        bucket = newest.get(parameter.dtype)
        if bucket is None or sum(parameters[i].nbytes for i in bucket) + parameter.nbytes > cap_bytes:
            bucket = newest[parameter.dtype] = []
            buckets.append(bucket)
        bucket.append(index)
    return buckets
