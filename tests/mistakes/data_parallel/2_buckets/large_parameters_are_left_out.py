"""a parameter above the cap is in no bucket."""

_all_of_them = make_buckets


def make_buckets(parameters, cap_bytes):
    buckets = _all_of_them(parameters, cap_bytes)
    return [bucket for bucket in buckets if sum(parameters[i].nbytes for i in bucket) <= cap_bytes]
