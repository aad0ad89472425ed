"""`words` gives one string with spaces instead of a list."""

_words = words


def words(number):
    return " ".join(_words(number))
