"""the tensors are put in order of their size first."""


def flatten(tensors, ranks):
    _check_kinds(tensors)
    numel = sum(tensor.numel() for tensor in tensors)
    whole = tensors[0].new_zeros(math.ceil(numel / ranks) * ranks)
    torch.cat([t.detach().reshape(-1) for t in sorted(tensors, key=torch.numel)], out=whole[:numel])
    return whole
