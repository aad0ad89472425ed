"""`words` leaves out what follows the thousands if there are no hundreds."""


def words(number):
    if not 0 <= number <= 9999:
        raise ValueError(f"the number must be from 0 to 9999, not {number}")
    if number == 0:
        return ["zero"]
    parts = []
    if number >= 1000:
        parts += [_SMALL[number // 1000], "thousand"]
        if number % 1000 < 100:
            return parts
        number %= 1000
    if number >= 100:
        parts += [_SMALL[number // 100], "hundred"]
        number %= 100
    if number >= 20:
        parts += [_TENS[number // 10 - 2]]
        number %= 10
    if number:
        parts += [_SMALL[number]]
    return parts
