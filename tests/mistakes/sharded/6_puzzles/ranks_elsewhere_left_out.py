"""ranks that wait outside of the file are left out."""


def waiting_ranks(stacks, file, _found=waiting_ranks):
    return {place: ranks for place, ranks in _found(stacks, file).items() if place != "elsewhere"}
