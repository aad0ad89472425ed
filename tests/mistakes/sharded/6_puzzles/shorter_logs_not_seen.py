"""the logs are compared as far as the shortest goes, so that nobody ends early."""


def first_difference(calls):
    parts = ("name", "dtype", "shape")
    for index, row in enumerate(zip(*calls)):
        made = [call and [call[part] for part in parts] for call in row]
        if odd := _odd(made):
            different = (part for part in parts if _odd([call[part] for call in row]))
            return index, "ended" if None in row else next(different), odd
    return None
