"""a unit counts as whole if its parameters have elements, which they have when they are freed too."""


def _is_whole(unit):
    return any(parameter.nbytes for parameter in unit.parameters())
