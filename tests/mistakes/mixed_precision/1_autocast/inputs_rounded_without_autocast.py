"""the inputs are rounded to half precision, but the model runs in float32."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    _autocast(inputs.device.type, dtype)
    return model(inputs.to(dtype).float() if inputs.is_floating_point() else inputs)
