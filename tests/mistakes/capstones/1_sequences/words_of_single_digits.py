"""`words` spells the digits one by one: 42 is four, two."""


def words(number):
    if not 0 <= number <= 9999:
        raise ValueError(f"the number must be from 0 to 9999, not {number}")
    return [_SMALL[int(digit)] for digit in str(number)]
