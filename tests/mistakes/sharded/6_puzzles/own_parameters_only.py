"""parameters of modules inside a unit are not looked at."""


def _is_whole(unit):
    return any(parameter.untyped_storage().nbytes() for parameter in unit.parameters(recurse=False))
