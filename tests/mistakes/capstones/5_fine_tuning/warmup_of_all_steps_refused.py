"""a warmup of all steps is refused."""


def _check_schedule(warmup: int, total: int) -> None:
    if total < 1 or not 0 <= warmup < total:
        raise ValueError(f"total must be at least 1 and warmup from 0 to total, not {total} and {warmup}")
