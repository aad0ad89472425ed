"""the outputs are kept and looked at after the run, when a layer that works in place has changed them."""


def first_nonfinite(model, inputs, dtype):
    outputs, hooks = [], []
    for name, module in model.named_modules():
        if not any(module.children()):
            keep = lambda _module, _inputs, output, name=name: outputs.append((name, output))  # noqa: E731
            hooks.append(module.register_forward_hook(keep))
    try:
        with torch.no_grad(), Autocast(dtype, enabled=dtype != torch.float32):
            model(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    for name, output in outputs:
        if not all(bool(torch.isfinite(tensor).all()) for tensor in _floating_tensors_in(output)):
            return name
    return None
