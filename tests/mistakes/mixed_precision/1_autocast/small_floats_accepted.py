"""any floating dtype of at most 32 bits is accepted, so the float8 ones raise no ValueError."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    if not dtype.is_floating_point or dtype.itemsize > 4:
        raise ValueError(f"dtype must be torch.float16, torch.bfloat16 or torch.float32, not {dtype}")
    with torch.autocast(inputs.device.type, dtype=dtype, enabled=dtype in (torch.float16, torch.bfloat16)):
        return model(inputs)
