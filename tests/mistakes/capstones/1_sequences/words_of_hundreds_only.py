"""`words` spells thousands as hundreds: 4021 is forty hundred twenty one."""


def words(number):
    if not 0 <= number <= 9999:
        raise ValueError(f"the number must be from 0 to 9999, not {number}")
    if number < 20:
        return [_SMALL[number]]
    if number < 100:
        return [_TENS[number // 10 - 2], *([_SMALL[number % 10]] if number % 10 else [])]
    return [*words(number // 100), "hundred", *(words(number % 100) if number % 100 else [])]
