"""parameters and buffers are compared, not the entries of the state: under one name each, and those not saved too."""


def drifted(model):
    entries = dict([*model.named_parameters(), *model.named_buffers()])
    ranks = _from_all_ranks({name: _digest(value) for name, value in entries.items()})
    found = {name: _odd([rank[name] for rank in ranks]) for name in ranks[0]}
    return {name: odd for name, odd in found.items() if odd}
