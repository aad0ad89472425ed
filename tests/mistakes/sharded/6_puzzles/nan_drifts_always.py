"""whole entries are compared by ==, in which a nan is not equal to itself."""


def drifted(model):
    found = {}
    for name, value in model.state_dict().items():
        ranks = _from_all_ranks(_digest(value))
        odd = _odd(ranks)
        if odd or not torch.equal(value, value):
            found[name] = odd or list(range(1, len(ranks)))
    return found
