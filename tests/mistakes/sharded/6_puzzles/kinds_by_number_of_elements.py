"""tensors with the same number of elements count as alike, whatever their shapes."""


def odd_ranks(tensor):
    return _odd(_from_all_ranks((str(tensor.dtype), tensor.numel())))
