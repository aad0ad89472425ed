"""units that are not in the module, or overlap, are taken as they are."""


def _check_units(module, units):
    pass
