"""float32 returns early, without any autocast region."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    if dtype == torch.float32:
        return model(inputs)
    if dtype not in {torch.float16, torch.bfloat16}:
        raise ValueError(f"{dtype} is none of torch.float32, torch.float16 and torch.bfloat16")
    with torch.autocast(device_type=inputs.device.type, dtype=dtype):
        return model(inputs)
