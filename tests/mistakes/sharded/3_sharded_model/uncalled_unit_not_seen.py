"""a ModuleList is taken as a unit, though it is never called."""

_checked = _check_units


def _check_units(module, units):
    _checked(module, [unit for unit in units if not _is_never_called(unit)])
