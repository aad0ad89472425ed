"""assert refuses an impossible schedule."""


def _check_schedule(warmup, total):
    assert total >= 1 and 0 <= warmup <= total, "impossible schedule"
