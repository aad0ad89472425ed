"""without a group it goes on as one rank of one, instead of saying so."""


def _rank_and_ranks():
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
