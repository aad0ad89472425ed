"""`words` refuses 9999 itself."""

_words = words


def words(number):
    if number >= 9999:
        raise ValueError("too large")
    return _words(number)
