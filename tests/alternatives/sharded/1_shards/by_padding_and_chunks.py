"""pads the whole tensor, then takes a chunk of it."""


def shard(tensor, rank, ranks):
    if rank not in range(ranks):
        raise ValueError(f"there is no rank {rank} among {ranks}")
    flat = torch.nn.functional.pad(tensor.detach().flatten(), (0, -tensor.numel() % ranks))
    return flat.view(ranks, -1)[rank].clone()


def unshard(shards, shape):
    numel = math.prod(shape)
    if not shards or {tuple(one.shape) for one in shards} != {(-(-numel // len(shards)),)}:
        raise ValueError("these are not the shards of such a tensor")
    return torch.stack(list(shards)).flatten()[:numel].view(tuple(shape)).clone()


def flatten(tensors, ranks):
    kinds = {(tensor.dtype, tensor.device) for tensor in tensors}
    if len(kinds) != 1:
        raise ValueError(f"one dtype and device, not {kinds}")
    whole = torch.hstack([tensor.detach().flatten() for tensor in tensors])
    return torch.nn.functional.pad(whole, (0, -len(whole) % ranks)).clone()
