"""a first bucket above a MiB sends its first parameter alone, so that the sending begins early."""

_make_buckets = make_buckets


def _small_first(parameters, cap_bytes):
    first, *rest = _make_buckets(parameters, cap_bytes)
    if sum(parameters[index].nbytes for index in first) > 2**20:
        return [first[:1], first[1:], *rest]
    return [first, *rest]


class DataParallel(DataParallel):
    def __init__(self, module, cap_bytes=25 * 2**20, dtype=None):
        global make_buckets
        make_buckets = _small_first
        super().__init__(module, cap_bytes, dtype)
        make_buckets = _make_buckets
