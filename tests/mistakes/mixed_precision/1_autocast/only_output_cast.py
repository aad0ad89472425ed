"""the model runs in float32 and only its output is cast to half precision."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    _autocast(inputs.device.type, dtype)
    return model(inputs).to(dtype)
