"""the model itself is converted (`model.half()`), so its parameters stay in half precision."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    if dtype not in (torch.float16, torch.bfloat16, torch.float32):
        raise ValueError(f"dtype must be torch.float16, torch.bfloat16 or torch.float32, not {dtype}")
    model.to(dtype)
    return model(inputs.to(dtype) if inputs.is_floating_point() else inputs)
