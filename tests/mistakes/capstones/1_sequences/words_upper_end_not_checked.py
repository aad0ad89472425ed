"""`words` says ten thousand for 10000 instead of refusing it."""


def words(number):
    if number < 0:
        raise ValueError(f"the number must not be negative: {number}")
    if number < 20:
        return [_SMALL[number]]
    for size, name in ((1000, "thousand"), (100, "hundred")):
        if number >= size:
            rest = number % size
            return [*words(number // size), name, *(words(rest) if rest else [])]
    return [_TENS[number // 10 - 2], *([_SMALL[number % 10]] if number % 10 else [])]
