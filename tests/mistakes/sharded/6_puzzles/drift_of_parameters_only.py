"""buffers are not compared."""


def drifted(model):
    ranks = _from_all_ranks({name: _digest(value) for name, value in model.named_parameters()})
    found = {name: _odd([rank[name] for rank in ranks]) for name in ranks[0]}
    return {name: odd for name, odd in found.items() if odd}
