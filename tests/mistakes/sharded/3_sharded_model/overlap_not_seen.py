"""a unit that lies in another one is taken."""


def _check_units(module, units):
    inside = list(module.modules())
    for unit in units:
        if unit not in inside or _is_never_called(unit) or units.count(unit) > 1:
            raise ValueError(f"a unit ({type(unit).__name__}) is not in the module, never called, or there twice")
