"""`words` has a list that ends at four, as a widely copied example has: from 5 on it is an IndexError."""


def words(number):
    if not 0 <= number <= 9999:
        raise ValueError(f"the number must be from 0 to 9999, not {number}")
    digit = ["zero", "one", "two", "three", "four"]
    return [digit[int(d)] for d in str(number)]
