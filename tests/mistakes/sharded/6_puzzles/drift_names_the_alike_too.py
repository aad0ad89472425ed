"""entries that are the same on all ranks are in the answer, with no ranks."""


def drifted(model):
    ranks = _from_all_ranks({name: _digest(value) for name, value in model.state_dict().items()})
    return {name: _odd([rank[name] for rank in ranks]) for name in ranks[0]}
