"""lists are not looked into, tuples are."""


def first_nonfinite(model, inputs, dtype):
    found: list[str] = []

    def look(name: str, output: object) -> None:
        if not all(
            bool(torch.isfinite(tensor).all())
            for tensor in ([] if isinstance(output, list) else _floating_tensors_in(output))
        ):
            found.append(name)

    leaves = [(name, module) for name, module in model.named_modules() if not any(module.children())]
    hooks = [
        module.register_forward_hook(lambda _module, _inputs, output, name=name: look(name, output))
        for name, module in leaves
    ]
    try:
        with torch.no_grad(), Autocast(dtype, enabled=dtype != torch.float32):
            model(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return found[0] if found else None
