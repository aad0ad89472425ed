"""a call that is missing on one rank counts as another name."""


def first_difference(calls, _found=first_difference):
    found = _found(calls)
    return found and (found[0], found[1].replace("ended", "name"), found[2])
