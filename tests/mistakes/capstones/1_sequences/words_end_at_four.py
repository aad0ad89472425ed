"""`words` has a list that ends at four, and raises IndexError from 5 on."""


def words(number):
    if not 0 <= number <= 9999:
        raise ValueError(f"the number must be from 0 to 9999, not {number}")
    digit = ["zero", "one", "two", "three", "four"]
    return [digit[int(d)] for d in str(number)]
