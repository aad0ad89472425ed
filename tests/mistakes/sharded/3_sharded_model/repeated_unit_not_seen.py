"""a unit that is named twice is taken."""


def _check_units(module, units):
    inside = list(module.modules())
    for unit in units:
        if unit not in inside or _is_never_called(unit):
            raise ValueError(f"a unit ({type(unit).__name__}) is not in the module, or never called")
        if any(one is not unit and one in units for one in unit.modules()):
            raise ValueError("units overlap")
