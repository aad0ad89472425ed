"""the hooks stay on the units if the step is interrupted."""


def kept_whole(units, step, _of=kept_whole):
    interrupts = []

    def caught():
        try:
            step()
        except KeyboardInterrupt as error:
            interrupts.append(error)

    found = _of(units, caught)
    if interrupts:
        for unit in units.values():
            unit.register_forward_hook(lambda *_: None)
        raise interrupts[0]
    return found
