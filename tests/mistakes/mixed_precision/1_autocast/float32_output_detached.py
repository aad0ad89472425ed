"""in float32 the parameters are used detached, so that no gradient reaches them."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    _check_dtype(dtype)
    if dtype == torch.float32:
        with torch.no_grad(), _autocast(inputs.device.type, dtype):
            return model(inputs)
    with _autocast(inputs.device.type, dtype):
        return model(inputs)
