"""what `torch.finfo` knows is accepted up to 32 bits, so a complex dtype raises no ValueError."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    known = (dtype.is_floating_point or dtype.is_complex) and torch.finfo(dtype).bits in (16, 32)
    if not known:
        raise ValueError(f"dtype must be torch.float16, torch.bfloat16 or torch.float32, not {dtype}")
    with torch.autocast(inputs.device.type, dtype=dtype, enabled=dtype in (torch.float16, torch.bfloat16)):
        return model(inputs)
