"""a call that differs in several parts has the last of them as its cause."""


def first_difference(calls):
    parts = ("name", "dtype", "shape")
    for index, row in enumerate(itertools.zip_longest(*calls)):
        made = [call and [call[part] for part in parts] for call in row]
        if odd := _odd(made):
            if None in row:
                return index, "ended", odd
            return index, [part for part in parts if _odd([call[part] for call in row])][-1], odd
    return None
