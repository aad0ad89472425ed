"""tensors without elements are left out before dtypes and devices are compared."""

_flatten_of_all = flatten


def flatten(tensors, ranks):
    return _flatten_of_all([tensor for tensor in tensors if tensor.numel()] or tensors, ranks)
