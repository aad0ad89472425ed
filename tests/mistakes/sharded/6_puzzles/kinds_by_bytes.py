"""tensors with the same number of bytes count as alike."""


def odd_ranks(tensor):
    return _odd(_from_all_ranks(tensor.nbytes))
