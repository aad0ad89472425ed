"""a tensor that is not contiguous is copied to be flattened, and the shard is a slice of that whole copy."""

_shard = shard


def shard(tensor, rank, ranks):
    size = math.ceil(tensor.numel() / ranks)
    if tensor.is_contiguous() or not 0 <= rank < tensor.numel() // max(size, 1):
        return _shard(tensor, rank, ranks)
    return tensor.detach().reshape(-1)[rank * size : (rank + 1) * size]
