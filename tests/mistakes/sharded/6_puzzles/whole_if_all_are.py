"""a unit counts as freed as soon as one of its parameters is."""


def _is_whole(unit):
    return all(parameter.untyped_storage().nbytes() for parameter in unit.parameters())
