"""the odd ranks are those that differ from rank 0."""


def first_difference(calls):
    parts = ("name", "dtype", "shape")
    for index, row in enumerate(itertools.zip_longest(*calls)):
        made = [call and [call[part] for part in parts] for call in row]
        if odd := [rank for rank, call in enumerate(made) if call != made[0]]:
            different = (part for part in parts if _odd([call[part] for call in row]))
            return index, "ended" if None in row else next(different), odd
    return None
