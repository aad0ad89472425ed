"""a warmup above total is taken."""


def _check_schedule(warmup: int, total: int) -> None:
    if total < 1 or warmup < 0:
        raise ValueError(f"total must be at least 1 and warmup from 0 to total, not {total} and {warmup}")
