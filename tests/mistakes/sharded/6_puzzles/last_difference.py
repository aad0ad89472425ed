"""the last difference is given, not the first."""


def first_difference(calls):
    parts, found = ("name", "dtype", "shape"), None
    for index, row in enumerate(itertools.zip_longest(*calls)):
        made = [call and [call[part] for part in parts] for call in row]
        if odd := _odd(made):
            different = (part for part in parts if _odd([call[part] for call in row]))
            found = index, "ended" if None in row else next(different), odd
    return found
