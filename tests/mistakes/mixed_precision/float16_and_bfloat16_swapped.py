"""float16 runs in bfloat16 and the other way round."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    if dtype not in (torch.float16, torch.bfloat16, torch.float32):
        raise ValueError(f"dtype must be torch.float16, torch.bfloat16 or torch.float32, not {dtype}")
    other = {torch.float16: torch.bfloat16, torch.bfloat16: torch.float16}.get(dtype, dtype)
    with torch.autocast(inputs.device.type, dtype=other, enabled=dtype != torch.float32):
        return model(inputs)
