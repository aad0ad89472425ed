"""the forward of each leaf is wrapped while the model runs, instead of a hook."""


def first_nonfinite(model, inputs, dtype):
    found = []
    leaves = [(name, module) for name, module in model.named_modules() if not list(module.children())]

    def wrap(name, forward):
        def run(*args, **kwargs):
            output = forward(*args, **kwargs)
            if not all(tensor.isfinite().all().item() for tensor in _floating_tensors_in(output)):
                found.append(name)
            return output

        return run

    for name, module in leaves:
        module.forward = wrap(name, module.forward)
    try:
        with torch.no_grad(), Autocast(dtype, enabled=dtype.itemsize == 2):
            model(inputs)
    finally:
        for _, module in leaves:
            del module.forward
    return found[0] if found else None
