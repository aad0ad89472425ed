"""any floating dtype is accepted, so float64 raises no ValueError."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    if not dtype.is_floating_point:
        raise ValueError(f"dtype must be torch.float16, torch.bfloat16 or torch.float32, not {dtype}")
    with torch.autocast(inputs.device.type, dtype=dtype, enabled=dtype in (torch.float16, torch.bfloat16)):
        return model(inputs)
