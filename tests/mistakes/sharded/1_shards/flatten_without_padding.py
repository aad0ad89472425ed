"""the vector is not filled up to a multiple of the ranks."""


def flatten(tensors, ranks):
    _check_kinds(tensors)
    return torch.cat([t.detach().reshape(-1) for t in tensors])
