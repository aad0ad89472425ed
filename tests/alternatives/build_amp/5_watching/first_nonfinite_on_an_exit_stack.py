"""the handles are context managers on an ExitStack."""


def first_nonfinite(model, inputs, dtype):
    from contextlib import ExitStack

    bad = []
    with ExitStack() as stack:
        for name, module in model.named_modules():
            if next(module.children(), None) is None:

                def hook(_, args, output, name=name):
                    for tensor in _floating_tensors_in(output):
                        if torch.isnan(tensor).any() or torch.isinf(tensor).any():
                            bad.append(name)

                stack.enter_context(module.register_forward_hook(hook))
        stack.enter_context(Autocast(torch.bfloat16 if dtype == torch.float32 else dtype, dtype != torch.float32))
        stack.enter_context(torch.set_grad_enabled(False))
        model(inputs)
    return next(iter(bad), None)
