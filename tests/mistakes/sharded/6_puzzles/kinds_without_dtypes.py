"""shapes are compared, dtypes are not."""


def odd_ranks(tensor):
    return _odd(_from_all_ranks(tuple(tensor.shape)))
