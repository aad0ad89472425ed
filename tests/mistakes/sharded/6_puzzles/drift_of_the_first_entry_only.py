"""the search stops at the first entry that differs."""


def drifted(model, _found=drifted):
    return dict(list(_found(model).items())[:1])
