"""a parameter without entries is in no bucket."""

_of_all = make_buckets


def make_buckets(parameters, cap_bytes):
    found = [[index for index in one if parameters[index].numel()] for one in _of_all(parameters, cap_bytes)]
    return [one for one in found if one]
