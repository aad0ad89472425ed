"""mixed dtypes are promoted by torch.cat instead of refused."""


def flatten(tensors, ranks):
    if not tensors or len({tensor.device for tensor in tensors}) > 1:
        raise ValueError(f"one device, not {' and '.join(str(tensor.device) for tensor in tensors)}")
    whole = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
    return torch.cat([whole, whole.new_zeros(-len(whole) % ranks)])
