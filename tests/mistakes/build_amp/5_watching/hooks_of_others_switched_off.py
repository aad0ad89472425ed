"""the hooks of others are set aside while the model runs."""


def first_nonfinite(model, inputs, dtype):
    found: list[str] = []

    def look(name: str, output: object) -> None:
        if not all(bool(torch.isfinite(tensor).all()) for tensor in _floating_tensors_in(output)):
            found.append(name)

    leaves = [(name, module) for name, module in model.named_modules() if not any(module.children())]
    hooks = [
        module.register_forward_hook(lambda _module, _inputs, output, name=name: look(name, output))
        for name, module in leaves
    ]
    ours = {id(module): dict(module._forward_hooks) for _, module in leaves}
    for _, module in leaves:
        last = next(reversed(module._forward_hooks))
        for key in list(module._forward_hooks):
            if key != last:
                del module._forward_hooks[key]
    try:
        with torch.no_grad(), Autocast(dtype, enabled=dtype != torch.float32):
            model(inputs)
    finally:
        for hook in hooks:
            hook.remove()
        for _, module in leaves:
            for key, hook in list(ours[id(module)].items())[:-1]:
                module._forward_hooks[key] = hook
    return found[0] if found else None
