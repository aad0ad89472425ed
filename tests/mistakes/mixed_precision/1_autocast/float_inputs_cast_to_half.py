"""the inputs are cast to half precision before the model sees them; autocast casts where it is safe."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    if inputs.is_floating_point():
        inputs = inputs.to(dtype)
    with _autocast(inputs.device.type, dtype):
        return model(inputs)
