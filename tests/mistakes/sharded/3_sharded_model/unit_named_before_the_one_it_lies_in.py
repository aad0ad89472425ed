"""a unit is compared with those named before it alone: one that lies in a later one is taken."""

_check_all_units = _check_units


def _check_units(module, units):
    for index, unit in enumerate(units):
        _check_all_units(module, [unit])
        if any(unit in earlier.modules() for earlier in units[:index]):
            raise ValueError(f"units overlap: {type(unit).__name__} lies in one named before")
