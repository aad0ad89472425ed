"""a negative warmup is taken for 0."""


def _check_schedule(warmup: int, total: int) -> None:
    if total < 1 or warmup > total:
        raise ValueError(f"total must be at least 1 and warmup from 0 to total, not {total} and {warmup}")
