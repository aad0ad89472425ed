"""a module that runs twice counts at the place of its first run."""


def first_nonfinite(model: nn.Module, inputs: Tensor, dtype: torch.dtype) -> str | None:
    finite: dict[str, bool] = {}

    def look(name: str, output: object) -> None:
        good = all(bool(torch.isfinite(tensor).all()) for tensor in _floating_tensors_in(output))
        finite[name] = finite.get(name, True) and good

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
    return next((name for name, good in finite.items() if not good), None)
