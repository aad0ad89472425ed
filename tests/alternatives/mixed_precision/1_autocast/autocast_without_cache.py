"""autocast does not cache the cast weights."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    if dtype not in (torch.float16, torch.bfloat16, torch.float32):
        raise ValueError(f"dtype must be float16, bfloat16 or float32, not {dtype}")
    with torch.autocast(inputs.device.type, dtype, enabled=dtype.itemsize == 2, cache_enabled=False):
        return model(inputs)
