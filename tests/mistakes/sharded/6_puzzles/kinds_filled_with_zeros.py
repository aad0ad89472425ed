"""shapes are filled up with zeros: (0,) looks like (), and (3, 0) like (3,)."""


def odd_ranks(tensor):
    return _odd(_from_all_ranks((str(tensor.dtype), (*tensor.shape, *[0] * 64)[:64])))
