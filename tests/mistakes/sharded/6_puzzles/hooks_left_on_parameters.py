"""hooks stay on the parameters."""


def kept_whole(units, step, _of=kept_whole):
    for unit in units.values():
        for parameter in unit.parameters():
            parameter.register_post_accumulate_grad_hook(lambda _: None)
    return _of(units, step)
