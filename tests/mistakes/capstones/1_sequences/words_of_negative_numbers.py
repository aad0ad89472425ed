"""`words` takes the words of the positive number for a negative one."""

_words = words


def words(number):
    return _words(abs(number))
