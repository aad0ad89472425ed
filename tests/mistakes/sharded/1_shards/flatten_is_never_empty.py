"""tensors without elements are filled up too: every rank gets at least one zero."""

_flatten = flatten


def flatten(tensors, ranks):
    whole = _flatten(tensors, ranks)
    return whole if len(whole) else whole.new_zeros(ranks)
