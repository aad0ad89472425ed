"""a whole round of zeros is added where the ranks divide the elements already."""


def flatten(tensors, ranks):
    _check_kinds(tensors)
    numel = sum(tensor.numel() for tensor in tensors)
    return torch.cat([*(t.detach().reshape(-1) for t in tensors), tensors[0].new_zeros(ranks - numel % ranks)]).detach()
