"""a warmup of 0 takes a step more for the falling line than one of 1."""


def warmup_linear(step: int, warmup: int, total: int) -> float:
    if step < 0:
        raise ValueError(f"step must be at least 0, not {step}")
    _check_schedule(warmup, total)
    return min((step + 1) / max(warmup, 1), max(total - step, 0) / (total - warmup + 1))
