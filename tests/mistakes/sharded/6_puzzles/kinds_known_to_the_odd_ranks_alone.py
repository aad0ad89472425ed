"""a rank learns whether it is odd itself, and not who else is."""


def odd_ranks(tensor, _found=odd_ranks):
    return [rank for rank in _found(tensor) if rank == dist.get_rank()]
