"""the model is converted to half precision and back to float32, which rounds the weights for good."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    if dtype not in (torch.float16, torch.bfloat16, torch.float32):
        raise ValueError(f"dtype must be torch.float16, torch.bfloat16 or torch.float32, not {dtype}")
    model.to(dtype)
    outputs = model(inputs.to(dtype) if inputs.is_floating_point() else inputs)
    model.float()
    return outputs
