"""`words` spells 11 to 19 as ten and units where hundreds come first."""


def words(number):
    if not 0 <= number <= 9999:
        raise ValueError(f"the number must be from 0 to 9999, not {number}")
    if number < 20:
        return [_SMALL[number]]
    thousands, hundreds, tens, units = (int(digit) for digit in f"{number:04d}")
    parts = [_SMALL[thousands], "thousand"] if thousands else []
    parts += [_SMALL[hundreds], "hundred"] if hundreds else []
    parts += [["ten", *_TENS][tens - 1]] if tens else []
    return parts + ([_SMALL[units]] if units else [])
