"""a unit whose parameters differ in dtype is cast to the first one's."""


def _check_kinds(tensors):
    if not tensors:
        raise ValueError("there is no tensor")


def flatten(tensors, ranks):
    _check_kinds(tensors)
    whole = torch.cat([one.detach().reshape(-1).to(tensors[0].dtype) for one in tensors])
    return torch.cat([whole, whole.new_zeros(-len(whole) % ranks)])
