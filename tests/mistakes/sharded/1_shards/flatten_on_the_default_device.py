"""the flat vector is made on the default device, wherever the tensors are."""


def flatten(tensors, ranks):
    _check_kinds(tensors)
    numel = sum(tensor.numel() for tensor in tensors)
    whole = torch.zeros(math.ceil(numel / ranks) * ranks, dtype=tensors[0].dtype)
    whole[:numel] = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
    return whole
