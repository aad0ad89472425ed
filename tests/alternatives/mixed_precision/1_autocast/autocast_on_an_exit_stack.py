"""the region is entered on an ExitStack, for the half formats only."""

from contextlib import ExitStack


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    region = _autocast(inputs.device.type, dtype)
    with ExitStack() as stack:
        if dtype != torch.float32:
            stack.enter_context(region)
        return model(inputs)
