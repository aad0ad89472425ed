"""the region comes from a dict, with a null context for float32."""

import contextlib


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    device_type = inputs.device.type
    regions = {
        torch.float32: contextlib.nullcontext,
        torch.float16: lambda: torch.autocast(device_type, torch.float16),
        torch.bfloat16: lambda: torch.autocast(device_type, torch.bfloat16),
    }
    if dtype not in regions:
        raise ValueError(f"dtype is {dtype}, but only float32, float16 and bfloat16 are known")
    with regions[dtype]():
        return model(inputs)
