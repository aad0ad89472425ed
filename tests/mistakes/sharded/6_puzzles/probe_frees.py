"""the probe frees what it finds whole."""


def kept_whole(units, step, _found=kept_whole):
    found = _found(units, step)
    for name in found:
        for parameter in units[name].parameters():
            parameter.untyped_storage().resize_(0)
    return found
