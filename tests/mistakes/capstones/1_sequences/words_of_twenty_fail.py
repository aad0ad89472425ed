"""`words` looks 20 up among the words below 20, and raises IndexError."""

_words = words


def words(number):
    return [_SMALL[number]] if 0 <= number <= 20 else _words(number)
