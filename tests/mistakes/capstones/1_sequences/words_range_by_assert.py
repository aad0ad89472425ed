"""`words` checks the range by `assert`, which raises AssertionError."""

_words = words


def words(number):
    assert 0 <= number <= 9999
    return _words(number)
