"""the inputs are cast to half precision, but there is no autocast."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    _autocast(inputs.device.type, dtype)
    return model(inputs.to(dtype) if inputs.is_floating_point() else inputs)
