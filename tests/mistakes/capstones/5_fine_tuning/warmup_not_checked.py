"""warmup and total are not checked."""


def warmup_linear(step: int, warmup: int, total: int) -> float:
    if step < 0:
        raise ValueError(f"step must be at least 0, not {step}")
    warmup = max(warmup, 1)
    return min((step + 1) / warmup, max(total - step, 0) / (total - warmup + 1))
