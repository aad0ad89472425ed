"""a negative step is taken."""


def warmup_linear(step: int, warmup: int, total: int) -> float:
    _check_schedule(warmup, total)
    warmup = max(warmup, 1)
    return min((step + 1) / warmup, max(total - step, 0) / (total - warmup + 1))
