"""each part of the schedule is a branch."""


def warmup_linear(step, warmup, total):
    if step < 0 or warmup < 0 or total < 1 or warmup > total:
        raise ValueError("impossible schedule")
    if step >= total:
        return 0.0
    if step < warmup:
        return (step + 1) / warmup
    return (total - step) / (total + 1 - max(1, warmup))
