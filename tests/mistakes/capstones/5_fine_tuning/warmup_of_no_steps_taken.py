"""a total of 0 is taken."""


def _check_schedule(warmup: int, total: int) -> None:
    if not 0 <= warmup <= max(total, 0):
        raise ValueError(f"total must be at least 1 and warmup from 0 to total, not {total} and {warmup}")
