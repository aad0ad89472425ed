"""a list of refused dtypes instead of one of legal ones: whatever is missing from it raises no ValueError."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    if dtype in (torch.float64, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.bool):
        raise ValueError(f"dtype must be torch.float16, torch.bfloat16 or torch.float32, not {dtype}")
    with torch.autocast(inputs.device.type, dtype=dtype, enabled=dtype in (torch.float16, torch.bfloat16)):
        return model(inputs)
