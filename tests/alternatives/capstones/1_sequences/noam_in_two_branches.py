"""the rate has a branch for the warmup and another for what follows."""


def noam(step, d_model, warmup, factor=1.0):
    for name, value in (("step", step), ("d_model", d_model), ("warmup", warmup)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, not {value}")
    peak = factor / math.sqrt(d_model) / math.sqrt(warmup)
    return peak * step / warmup if step <= warmup else peak * math.sqrt(warmup / step)
