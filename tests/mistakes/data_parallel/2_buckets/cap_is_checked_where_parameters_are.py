"""a wrong cap is only refused if there are parameters."""

_refusing = make_buckets


def make_buckets(parameters, cap_bytes):
    return _refusing(parameters, cap_bytes) if parameters else []
