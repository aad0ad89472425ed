"""rank 0 collects the kinds and keeps what it finds to itself."""


def odd_ranks(tensor):
    kinds = [None] * dist.get_world_size() if dist.get_rank() == 0 else None
    dist.gather_object((str(tensor.dtype), tuple(tensor.shape)), kinds)
    return _odd(kinds) if kinds else []
