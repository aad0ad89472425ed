"""the gradients are removed before the entries are compared."""


def drifted(model, _found=drifted):
    model.zero_grad()
    return _found(model)
