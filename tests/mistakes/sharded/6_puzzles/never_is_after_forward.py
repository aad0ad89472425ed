"""a unit that is never freed is said to be whole after forward."""


def kept_whole(units, step, _found=kept_whole):
    return {name: when.replace("never", "after forward") for name, when in _found(units, step).items()}
