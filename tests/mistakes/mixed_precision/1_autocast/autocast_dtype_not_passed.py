"""`dtype` is not passed on to autocast, which takes its own default (bfloat16 on a CPU)."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    if dtype not in (torch.float16, torch.bfloat16, torch.float32):
        raise ValueError(f"dtype must be torch.float16, torch.bfloat16 or torch.float32, not {dtype}")
    with torch.autocast(inputs.device.type, enabled=dtype != torch.float32):
        return model(inputs)
