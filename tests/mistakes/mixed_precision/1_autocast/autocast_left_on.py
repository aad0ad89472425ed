"""autocast is switched on with `set_autocast_enabled` and never switched off."""


def mixed_precision_forward(model, inputs, dtype=torch.float16):
    _autocast(inputs.device.type, dtype)
    torch.set_autocast_enabled(inputs.device.type, dtype != torch.float32)
    torch.set_autocast_dtype(inputs.device.type, dtype)
    return model(inputs)
