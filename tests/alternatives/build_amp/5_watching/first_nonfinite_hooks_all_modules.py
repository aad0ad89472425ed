"""one hook for all modules, and a dict from a module to its name."""


def first_nonfinite(model, inputs, dtype):
    from contextlib import nullcontext

    names = {module: name for name, module in model.named_modules() if len(list(module.children())) == 0}
    found = None

    def tensors(value):
        if isinstance(value, Tensor):
            return [value]
        values = value.values() if isinstance(value, dict) else value
        return [tensor for one in values for tensor in tensors(one)]

    def hook(module, args, output):
        nonlocal found
        if found is None and module in names and any(not tensor.isfinite().all() for tensor in tensors(output)):
            found = names[module]

    handle = nn.modules.module.register_module_forward_hook(hook)
    try:
        with torch.inference_mode(), nullcontext() if dtype == torch.float32 else Autocast(dtype):
            model(inputs)
    finally:
        handle.remove()
    return found
