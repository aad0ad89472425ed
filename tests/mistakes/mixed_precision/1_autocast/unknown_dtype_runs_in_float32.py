"""an unknown dtype silently runs in float32 instead of raising ValueError."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    with torch.autocast(inputs.device.type, dtype=dtype, enabled=dtype in (torch.float16, torch.bfloat16)):
        return model(inputs)
