"""a weight that two units share is cut in both, and they go different ways."""


def _parameters_of_units(module, units):
    own = {unit: list(unit.parameters()) for unit in units}
    taken = {parameter for parameters in own.values() for parameter in parameters}
    own[module] = own.get(module, []) + [one for one in module.parameters() if one not in taken]
    return {unit: parameters for unit, parameters in own.items() if parameters}
