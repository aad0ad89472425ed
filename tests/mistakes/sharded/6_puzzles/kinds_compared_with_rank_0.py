"""ranks are odd if their tensor is not like that of rank 0, also where rank 0 is alone."""


def odd_ranks(tensor):
    kinds = _from_all_ranks((str(tensor.dtype), tuple(tensor.shape)))
    return [rank for rank, kind in enumerate(kinds) if kind != kinds[0]]
