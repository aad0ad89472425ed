"""the factor stays 1 after the warmup."""


def warmup_linear(step: int, warmup: int, total: int) -> float:
    if step < 0:
        raise ValueError(f"step must be at least 0, not {step}")
    _check_schedule(warmup, total)
    warmup = max(warmup, 1)
    return min((step + 1) / warmup, 1.0)
