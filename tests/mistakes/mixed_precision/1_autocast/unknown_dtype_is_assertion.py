"""the dtype is checked with `assert`, so an unknown one is an AssertionError and no ValueError."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    assert dtype in (torch.float16, torch.bfloat16, torch.float32), dtype
    with torch.autocast(inputs.device.type, dtype=dtype, enabled=dtype != torch.float32):
        return model(inputs)
