"""dtype and shape travel as a vector of fixed size in place of an object."""


def odd_ranks(tensor):
    dtypes = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int32, torch.int64, torch.bool]
    own = torch.full((66,), -1, dtype=torch.int64)
    own[0], own[1] = dtypes.index(tensor.dtype), tensor.dim()
    own[2 : 2 + tensor.dim()] = torch.tensor(tensor.shape, dtype=torch.int64)
    whole = own.new_empty(dist.get_world_size() * len(own))
    all_gather(whole, own)
    kinds = [tuple(kind.tolist()) for kind in whole.split(len(own))]
    return [rank for rank, kind in enumerate(kinds) if kind != max(kinds, key=kinds.count)]
