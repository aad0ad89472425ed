"""the entries are overwritten with rank 0's once they have been compared."""


def drifted(model, _found=drifted):
    found = _found(model)
    for value in model.state_dict().values():
        dist.broadcast(value, 0)
    return found
