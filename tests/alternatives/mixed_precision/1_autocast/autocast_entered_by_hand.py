"""the region is entered by hand and left in a `finally`."""

import sys


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    region = _autocast(inputs.device.type, dtype)
    region.__enter__()
    try:
        return model(inputs)
    finally:
        region.__exit__(*sys.exc_info())
