"""autocast is switched on only where CUDA is available, so a CPU runs in float32."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    if dtype not in (torch.float16, torch.bfloat16, torch.float32):
        raise ValueError(f"dtype must be torch.float16, torch.bfloat16 or torch.float32, not {dtype}")
    with torch.autocast(inputs.device.type, dtype=dtype, enabled=torch.cuda.is_available() and dtype != torch.float32):
        return model(inputs)
