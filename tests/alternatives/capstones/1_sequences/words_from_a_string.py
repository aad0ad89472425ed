"""the words are looked up digit by digit in the number written with four digits."""


def words(number):
    if number not in range(10_000):
        raise ValueError(f"cannot spell {number}: it is not from 0 to 9999")
    thousands, hundreds, tens, units = map(int, str(number).zfill(4))
    spelled = [_SMALL[thousands], "thousand"] if thousands else []
    if hundreds:
        spelled.extend((_SMALL[hundreds], "hundred"))
    if tens > 1:
        spelled.append(_TENS[tens - 2])
        spelled.extend([_SMALL[units]] if units else [])
    elif 10 * tens + units or number == 0:
        spelled.append(_SMALL[10 * tens + units])
    return spelled
