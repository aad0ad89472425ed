"""autocast stays on for float32, which then runs in autocast's default, bfloat16."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    if dtype not in (torch.float16, torch.bfloat16, torch.float32):
        raise ValueError(f"dtype must be torch.float16, torch.bfloat16 or torch.float32, not {dtype}")
    half = dtype if dtype != torch.float32 else None
    with torch.autocast(inputs.device.type, dtype=half):
        return model(inputs)
