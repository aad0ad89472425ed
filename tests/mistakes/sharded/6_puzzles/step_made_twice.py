"""a step is made to warm up, before the one that is looked at."""


def kept_whole(units, step, _found=kept_whole):
    step()
    return _found(units, step)
