"""the hooks stay on the units if the step raises."""


def kept_whole(units, step):
    after_forward = set()

    def look(unit, args, output):
        if _is_whole(unit):
            after_forward.add(unit)

    hooks = [unit.register_forward_hook(look) for unit in units.values()]
    step()
    for hook in hooks:
        hook.remove()
    names = {(True, False): "after forward", (False, True): "after backward", (True, True): "never"}
    found = {name: names.get((unit in after_forward, _is_whole(unit))) for name, unit in units.items()}
    return {name: when for name, when in found.items() if when is not None}
