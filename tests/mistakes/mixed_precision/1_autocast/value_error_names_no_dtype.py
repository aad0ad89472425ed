"""the ValueError for an unknown dtype does not name the three that are allowed."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    if dtype not in (torch.float16, torch.bfloat16, torch.float32):
        raise ValueError(f"unsupported dtype: {dtype}")
    with torch.autocast(inputs.device.type, dtype=dtype, enabled=dtype != torch.float32):
        return model(inputs)
