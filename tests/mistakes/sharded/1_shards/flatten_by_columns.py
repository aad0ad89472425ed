"""matrices are flattened column by column."""


def flatten(tensors, ranks):
    _check_kinds(tensors)
    numel = sum(tensor.numel() for tensor in tensors)
    whole = tensors[0].new_zeros(math.ceil(numel / ranks) * ranks)
    torch.cat(
        [t.detach().T.reshape(-1) if t.dim() == 2 else t.detach().reshape(-1) for t in tensors], out=whole[:numel]
    )
    return whole
