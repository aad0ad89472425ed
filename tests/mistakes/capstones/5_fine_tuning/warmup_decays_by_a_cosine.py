"""the factor falls along half a cosine."""


def warmup_linear(step: int, warmup: int, total: int) -> float:
    if step < 0:
        raise ValueError(f"step must be at least 0, not {step}")
    _check_schedule(warmup, total)
    warmup = max(warmup, 1)
    share = min(max(step + 1 - warmup, 0) / (total - warmup + 1), 1.0)
    return min((step + 1) / warmup, (1 + math.cos(math.pi * share)) / 2)
