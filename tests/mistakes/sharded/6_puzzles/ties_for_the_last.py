"""of calls that equally many ranks made, the highest rank's is taken for right."""


def _odd(values):
    usual = max(reversed(values), key=list(values).count)
    return [rank for rank, value in enumerate(values) if value != usual]
