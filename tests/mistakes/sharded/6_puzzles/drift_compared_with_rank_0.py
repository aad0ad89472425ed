"""entries are compared with rank 0's, which may be the one that has drifted."""


def drifted(model):
    ranks = _from_all_ranks({name: _digest(value) for name, value in model.state_dict().items()})
    odd = {name: [rank for rank, one in enumerate(ranks) if one[name] != ranks[0][name]] for name in ranks[0]}
    return {name: found for name, found in odd.items() if found}
